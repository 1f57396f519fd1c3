"""A job of the bench: run in a worker process, followed to its end, and its results gathered. No torch here.

Where a racer hangs or takes the worker with it, a new worker goes on without that racer, from where it stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypedDict, cast

from rich.console import Console
from rich.progress import BarColumn, TimeElapsedColumn

from ..system.console import progress_bar
from ..system.processes import PATIENCE, end, environment, how_it_ended, lines_of, start
from .results import Facts, Refusal, Results, Row, load
from .rounds import noisy

SILENCE = 120.0  # seconds without an event while it is nobody's turn: torch is imported, limits are measured
RESTARTS = 8
WORKER = ("-m", "dojo.bench.worker")
YOURS = "yours"  # the racer that is the learner's
ATTENTION = "k06"  # the kata whose implementations race in the sweep


SIZES = ("batch", "heads", "width", "lengths")  # of a job: what a slow machine has less of


@dataclass
class Job:
    """What to time on one device: the races of the kata `slug`, or the sweep of attention where that is empty."""

    root: str
    device: str
    seconds: float
    solved: Sequence[str] = ()  # slugs of the katas whose learner's file counts
    yours: bool = False  # whether the learner's code races
    slug: str = ""
    lengths: Sequence[int] = ()  # of sequences, ascending
    dtypes: Sequence[str] = ()
    passes: Sequence[str] = ("forward", "both")
    batch: int = 8
    heads: int = 12
    width: int = 768
    only: Sequence[str] = ()  # the implementations; empty: all
    # What earlier workers have measured, and the racers that had to be ended, with the reason.
    facts: Facts | None = None
    rows: list[Row] = field(default_factory=list)
    without: dict[str, str] = field(default_factory=dict)


class Event(TypedDict, total=False):
    """A line from the worker: one or several of these."""

    turn: str  # the racer whose turn begins
    limit: float  # seconds that it may take
    note: str  # what is raced
    devices: list[str]  # of this machine
    facts: Facts
    sizes: dict[str, Any]  # of the job, by SIZES, as they fit this machine
    rows: list[Row]
    refused: Refusal
    left_out: str
    trouble: str  # why the job cannot be run
    exit: int  # the status to end with then
    end: bool


Send = Callable[[Event], Any]


def refusal(name: str, reason: str, kind: str) -> Event:
    """The event that a racer takes no part."""
    return {"refused": {"name": name, "reason": reason, "kind": kind}}


class BenchError(Exception):
    """A job could not go on; the message says why, `exit` is the status to end with."""

    def __init__(self, message: str, exit: int = 1):
        super().__init__(message)
        self.exit = exit


def run(job: Job, results: Results, console: Console) -> list[str]:
    """Run a job with a progress bar, adding what comes to `results`; the devices of this machine. Raises BenchError."""
    devices: list[str] = []
    started = time.monotonic()
    columns = BarColumn(), TimeElapsedColumn(), "of at most {task.total:.0f} s · {task.description}"
    with progress_bar(*columns, on=console, transient=True) as bar:
        task = bar.add_task("getting ready", total=job.seconds)

        def take(event: Event) -> None:
            devices.extend(event.get("devices", []))
            add(results, event)
            words = " · ".join(filter(None, [event.get("note", ""), event.get("turn", "")]))
            done = min(time.monotonic() - started, job.seconds - 0.1)  # a bar at its end stops its clock
            bar.update(task, completed=done, description=words or None)

        follow(job, take)
    results["noisy"], results["machine"]["load_after"] = noisy(results["rows"]), load()
    return devices


def add(results: Results, event: Event) -> None:
    """Add what an event brings to the results."""
    if "facts" in event:
        results.update(cast(Results, event["facts"]))
    results["rows"] += event.get("rows", [])
    # A worker that goes on where another was ended sends some things again.
    if "refused" in event and event["refused"] not in results["refused"]:
        results["refused"].append(event["refused"])
    if "left_out" in event and event["left_out"] not in results["left_out"]:
        results["left_out"].append(event["left_out"])


def follow(job: Job, on_event: Send) -> None:
    """Run a job to its end and hand on its events, with a `refused` for each racer that is ended. Raises BenchError."""
    ends = time.monotonic() + job.seconds
    job = dataclasses.replace(job, rows=[], without={})
    for _ in range(RESTARTS):
        job.seconds = max(0.0, ends - time.monotonic())
        culprit, how = _follow_worker(job, on_event)
        if not how:
            return
        if not culprit:
            raise BenchError(f"The bench stopped: {how}.")
        job.without[culprit] = how
        on_event(refusal(culprit, how, "ended"))
    raise BenchError("The bench stopped: one racer after another had to be ended.")


def _follow_worker(job: Job, on_event: Send) -> tuple[str, str]:
    """Run a job in one worker, and note in it the facts and rows that come.

    Returns whose turn it was when the worker ended or had to be ended, and how; ("", "") for a good end.
    """
    turn, limit = "", SILENCE
    with tempfile.TemporaryFile() as errors, _worker(job, errors) as process:
        lines = lines_of(process.stdout)
        while True:
            try:
                line = lines.get(timeout=limit * PATIENCE)
            except queue.Empty:
                return turn, f"did not come to an end within {limit * PATIENCE:.0f} s"
            if not line:
                return turn, how_it_ended(process.wait()) + _last_line(errors)
            event: Event = json.loads(line)
            if "trouble" in event:
                raise BenchError(event["trouble"], event["exit"])
            if "end" in event:
                return "", ""
            turn, limit = event.get("turn", ""), event.get("limit", SILENCE)
            job.rows += event.get("rows", [])
            job.facts = event.get("facts", job.facts)
            vars(job).update(event.get("sizes", {}))
            on_event(event)


@contextlib.contextmanager
def _worker(job: Job, errors: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    """A worker that has been given its job; ended at the end."""
    command = [sys.executable, *WORKER]
    process = start(command, Path(job.root), stdin=subprocess.PIPE, stderr=errors, env=environment())
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(dataclasses.asdict(job)) + "\n")
            process.stdin.close()
        yield process
    finally:
        end(process)


def _last_line(errors: IO[bytes]) -> str:
    """The last line that a worker has printed, in brackets, or nothing."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    lines = [line for line in lines if not line.startswith("USDT:")]  # torch's profiler prints that
    return f" ({lines[-1]})" if lines else ""
