"""How long and how much a learner's code may run before it is stopped."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..spec.errors import TimeUp
from ..system.processes import PATIENCE

# How many times as long code may run on the clock as in processor time: on a busy machine it waits for its turn.
WAITING = 12
MEMORY = 4 << 30  # bytes that a child may take beyond what the judge's server has


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise TimeUp in the code below after `seconds` of processor time, or `WAITING` times that on the clock.

    Only where signals can interrupt (not on Windows, not outside the main thread); the judge has a limit of its own.
    Code that catches TimeUp, or in which no Python runs, is ended by the system some seconds later (SIGXCPU).
    """
    seconds *= PATIENCE
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise TimeUp(f"ran for more than {seconds:g} seconds without coming to an end: an endless loop?")

    try:
        before = [signal.signal(name, ring) for name in (signal.SIGPROF, signal.SIGALRM)]
    except ValueError:  # not the main thread
        yield
        return
    # Again and again: an exception that rings in a destructor, say, is lost.
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)
    signal.setitimer(signal.ITIMER_REAL, WAITING * seconds, 2.0)
    restore = _bound_processor(seconds)
    try:
        yield
    finally:
        restore()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGALRM, before[1])


def _bound_processor(seconds: float) -> Callable[[], None]:
    """Let the system end this process when it takes far more processor time than `seconds`; returns what undoes it."""
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_CPU)
    bound = math.ceil(time.process_time() + seconds) + 2
    if resource.RLIM_INFINITY != most < bound:
        return lambda: None
    resource.setrlimit(resource.RLIMIT_CPU, (bound, most))
    return lambda: resource.setrlimit(resource.RLIMIT_CPU, (before, most))


def bound_resources() -> None:
    """Bound what this process may take from now on. Where the system has no such limit (macOS), only time is bound."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch says it with a RuntimeError."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)
