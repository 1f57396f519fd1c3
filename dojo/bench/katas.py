"""The races of a single kata: `tests/benchmarks/kNN_name.py` holds them, this runs them.

Such a file holds a function, `races(kata, reference)`, which yields `Race` after `Race`. `reference` is the module
of the solution; `kata` is the learner's, or None where the kata is not solved. Its racers run in a process of their
own, so that what hangs or crashes there is a row and no end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch

from ..curriculum.catalog import Catalog
from ..sandbox.loader import Workspace
from ..system.files import load_module
from . import machine
from .jobs import YOURS, Job, Send, refusal
from .timing import Race, explain

LIMIT = 10.0  # seconds that one call may take
LOADING = 20.0  # seconds that a file may take to be imported, or a race to be made ready
ROUNDS = (5, 50)
SECONDS = 4.0  # of a race: a kata has three or four, and nobody should wait for half a minute


def load(job: Job, send: Send) -> tuple[ModuleType, ModuleType | None, ModuleType]:
    """What a job needs of its kata: the file of its races, the learner's module where that races, the reference's."""
    catalog = Catalog(Path(job.root))
    kata, workspace = catalog.find(job.slug), Workspace(catalog, frozenset(job.solved))
    races, reference, learners = load_module(kata.races), workspace.reference(kata), None
    if job.yours and YOURS not in job.without:
        send({"turn": YOURS, "limit": LOADING})
        try:
            learners = workspace.part(kata)
        except (Exception, SystemExit) as error:
            send(refusal(YOURS, *explain(error)))
    return races, learners, reference


def run(job: Job, send: Send) -> None:
    """Run every race of a job's kata in turn, within the time there is."""
    ends = time.monotonic() + job.seconds
    torch.set_default_device(job.device)  # so that the races of a file are of whichever device is asked for
    send({"facts": job.facts or {**machine.describe(job.device, Path(job.root)), "limits": {}}})
    file, learners, reference = load(job, send)
    finished = {row["race"] for row in job.rows}
    try:
        _run_all(file.races(learners, reference), finished, job, send, ends)
    except (Exception, SystemExit) as error:  # what a learner's code raises while a race is made ready
        if learners is None:
            raise
        send(refusal(YOURS, *explain(error)))
        _run_all(file.races(None, reference), finished, job, send, ends)


def _run_all(races: Iterator[Race], finished: set[str], job: Job, send: Send, ends: float) -> None:
    """Run the races whose titles are not in `finished`, and add them there."""
    for each in races:
        left = ends - time.monotonic()
        if each.title not in finished and left > 0:
            _run(each, job, send, min(SECONDS, left))
            finished.add(each.title)
        elif each.title not in finished:
            send({"left_out": f"{each.title}: the time is used up"})
        send({"turn": YOURS if job.yours else "", "limit": LOADING, "note": "making the next race ready"})


def _run(each: Race, job: Job, send: Send, seconds: float) -> None:
    def notify(name: str) -> None:
        send({"turn": name, "limit": 2 * LIMIT + 5, "note": each.title})

    each.racers = [racer for racer in each.racers if racer.name not in job.without]
    rows = each.run(job.device, seconds=seconds, rounds=ROUNDS, limit=LIMIT, notify=notify)
    send({"rows": rows})
