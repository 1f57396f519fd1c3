"""The races of a single kata: `tests/benchmarks/kNN_name.py` says who races, this runs it.

Such a file holds one function, `races(kata, reference)`, which yields `Race` after `Race`. `reference` is the module
of the solution; `kata` is the learner's, or None where the kata is not solved. Its racers run in a process of their
own, so that what hangs or crashes there is a row and no end.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from ..curriculum.catalog import Catalog
from ..sandbox.loader import Workspace
from . import machine
from .rounds import rows
from .timing import Clock, Race, explain, race

LIMIT = 10.0  # seconds that one call may take
LOADING = 20.0  # seconds that a file may take to be imported, or a race to be made ready
ROUNDS = (5, 50)
SECONDS = 4.0  # of a race: a kata has three or four, and nobody should wait for half a minute
Send = Callable[[dict[str, Any]], None]


def run(job: dict[str, Any], send: Send) -> None:
    """Run the job "kata": every race of the kata `slug` in turn, within the time there is."""
    ends = time.monotonic() + job["seconds"]
    catalog = Catalog(Path(job["root"]))
    kata = catalog.by_slug(job["slug"])
    workspace = Workspace(catalog, frozenset(job["solved"]))
    torch.set_default_device(job["device"])  # so that the races of a file are of whichever device is asked for
    facts = job["facts"] or machine.describe(job["device"], catalog.root) | {"limits": {}}
    send({"facts": facts})
    races, reference, learners = load(kata.races).races, workspace.reference(kata), None
    ran = {row["race"] for row in job["rows"]}
    if job["yours"] and "yours" not in job["without"]:
        try:
            send({"turn": "yours", "limit": LOADING})
            learners = workspace.part(kata)
            _run_all(races(learners, reference), ran, job, send, ends)
            return
        except (Exception, SystemExit) as error:  # what a learner's code raises while a race is made ready
            reason, kind = explain(error)
            send({"refused": {"name": "yours", "reason": reason, "kind": kind}})
    _run_all(races(None, reference), ran, job, send, ends)


def _run_all(races: Iterator[Race], ran: set[str], job: dict[str, Any], send: Send, ends: float) -> None:
    """Run the races that have not been run, and note them in `ran`."""
    for one in races:
        if one.title not in ran and time.monotonic() < ends:
            _run(one, job, send, min(SECONDS, ends - time.monotonic()))
            ran.add(one.title)
        elif one.title not in ran:
            send({"left_out": f"{one.title}: the time is used up"})
        send({"turn": "yours" if job["yours"] else "", "limit": LOADING, "note": "making the next race ready"})


def _run(one: Race, job: dict[str, Any], send: Send, seconds: float) -> None:
    racers = [racer for racer in one.racers if racer.name not in job["without"]]

    def notify(name: str) -> None:
        send({"turn": name, "limit": 2 * LIMIT + 5, "note": one.title})

    times = race(racers, Clock(job["device"]), seconds=seconds, rounds=ROUNDS, limit=LIMIT, notify=notify)
    labels = {"race": one.title, "work": one.work, "unit": one.unit, **one.labels}
    found = rows(times, one.base, labels)
    for row, racer in zip(found, racers):
        row |= {"figures": racer.figures} if racer.figures and "seconds" in row else {}
    send({"rows": found})


def load(path: Path) -> ModuleType:
    """The module in a file of races."""
    spec = importlib.util.spec_from_file_location(f"_dojo_races_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
