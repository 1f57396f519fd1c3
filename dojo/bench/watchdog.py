"""Start the process that runs races, follow what it says, and end it when a turn takes too long. No torch here.

Where a racer hangs or takes the process with it, a new process goes on without that racer, from where it stopped.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from ..system.processes import PATIENCE, end, environment, lines_of

SILENCE = 120.0  # seconds without an event while it is nobody's turn: torch is imported, limits are measured
RESTARTS = 8
WORKER = ("-m", "dojo.bench.worker")
Event = dict[str, Any]


class BenchError(Exception):
    """Racing could not go on; the message says why, `exit` is the status to end with."""

    def __init__(self, message: str, exit: int = 1):
        super().__init__(message)
        self.exit = exit


def follow(job: dict[str, Any], root: Path, on_event: Callable[[Event], Any]) -> None:
    """Run a job to its end and hand on its events, with a `refused` for each racer that had to be ended.

    The job is told the facts and the rows that are there already, and whom to go `without`. Raises BenchError.
    """
    ends = time.monotonic() + job["seconds"]
    job = {**job, "rows": [], "facts": None, "without": dict(job.get("without", {}))}
    for _ in range(RESTARTS):
        culprit, how = _once({**job, "seconds": max(0.0, ends - time.monotonic())}, job, root, on_event)
        if not how:
            return
        if not culprit:
            raise BenchError(f"The bench stopped: {how}.")
        job["without"][culprit] = how
        on_event({"refused": {"name": culprit, "reason": how, "kind": "ended"}})
    raise BenchError("The bench stopped: one racer after another had to be ended.")


def _once(job: Event, known: Event, root: Path, on_event: Callable[[Event], Any]) -> tuple[str, str]:
    """Run it in one process: whose turn it was when it had to be ended, and how it ended; ("", "") for a good end."""
    turn, limit = "", SILENCE
    with tempfile.TemporaryFile() as said, _process(job, root, said) as process:
        events = lines_of(process.stdout)
        while True:
            try:
                line = events.get(timeout=limit * PATIENCE)
            except queue.Empty:
                return turn, f"did not come to an end within {limit * PATIENCE:.0f} s"
            if not line:
                return turn, _how_it_ended(process.wait(), said)
            event = json.loads(line)
            if "trouble" in event:
                raise BenchError(event["trouble"], event["exit"])
            if "end" in event:
                return "", ""
            turn, limit = event.get("turn", ""), event.get("limit", SILENCE)
            known["rows"] += event.get("rows", [])
            known["facts"] = event.get("facts", known["facts"])
            on_event(event)


@contextlib.contextmanager
def _process(job: Event, root: Path, said: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        encoding="utf-8",
        env=environment(),
        cwd=root,
        start_new_session=True,  # an interrupt is for whoever follows, who then ends this
    )
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.close()
        yield process
    finally:
        end(process)


def _how_it_ended(status: int, said: IO[bytes]) -> str:
    if status == -9:
        return "was ended by the system, for want of memory as it seems"
    said.seek(0)
    text = said.read().decode(errors="replace")
    lines = [line for line in text.strip().splitlines() if not line.startswith("USDT:")]  # torch's profiler says that
    last = f" ({lines[-1]})" if lines else ""
    return f"ended the process, {'signal' if status < 0 else 'status'} {abs(status)}{last}"
