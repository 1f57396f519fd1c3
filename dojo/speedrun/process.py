"""The referee's end of a submission's process: start it, talk with it, end it.

To import torch takes a second and a submission runs in many processes, so each is forked from the standard library's
fork server, which has imported `submission`. Where there is none, each is started from the beginning.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Any

from ..system.processes import end_session
from . import rules, submission
from .rules import RuleBroken
from .submission import Job, Reply

KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV")  # of the environment
CHOSEN = "CUDA_VISIBLE_DEVICES"  # which GPUs a process may see: none where the race is on the CPU
LAST = 300  # characters of what it printed that are shown
DYING = 5.0  # seconds that a process may live on without its line


class SubmissionProcess:
    """A process for one job, in an empty folder of its own that goes with it; a context manager."""

    def __init__(self, job: Job):
        context = _context()
        self._folder = tempfile.TemporaryDirectory(prefix="speedrun-", ignore_cleanup_errors=True)
        self._line, its_line = context.Pipe()
        self._output, its_output = context.Pipe(duplex=False)
        self._open = [self._line, self._output]
        self._printed = bytearray()
        arguments = (job, its_line, its_output, self._environment(job.device))
        self._process = context.Process(target=submission.main, args=arguments)
        with _no_main(), its_line, its_output:
            self._process.start()
        try:
            self._receive(rules.START, "no crash")  # it is ready
        except BaseException:
            self.close()
            raise

    def _environment(self, device: str) -> dict[str, str]:
        folder = self._folder.name
        kept = {name: os.environ[name] for name in (*KEPT, CHOSEN) if name in os.environ}
        kept |= {name: folder for name in ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME")}
        return kept | ({CHOSEN: ""} if device == "cpu" else {})

    def ask(self, request: Any, seconds: float, rule: str) -> tuple[Reply, float]:
        """Send ids or a model: the reply, and the seconds that it took, else `rule` is broken. Raises RuleBroken."""
        started = time.perf_counter()
        with contextlib.suppress(OSError):  # it does not live any more, as its reply will show
            self._line.send(request)
        return self._receive(seconds, rule), time.perf_counter() - started

    @property
    def printed(self) -> str:
        """The last line that it printed, or nothing."""
        lines = self._printed[-LAST:].decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def _receive(self, seconds: float, rule: str) -> Reply:
        ends = time.monotonic() + seconds
        while self._line not in (ready := wait(self._open, ends - time.monotonic())):
            if not ready:
                raise RuleBroken(rule, f"it did not come to an end within {seconds:.0f} s")
            self._read_output()
        self._read_output()
        try:
            reply = Reply.receive(self._line)
        except (EOFError, OSError, ValueError, TypeError):
            raise self._died() from None
        if reply.refused:
            raise RuleBroken(*reply.refused)
        return reply

    def _read_output(self) -> None:
        """Keep what it has printed by now. Raises RuleBroken where that is too much."""
        while self._output in self._open and self._output.poll():
            if not (piece := os.read(self._output.fileno(), 1 << 16)):
                self._open.remove(self._output)
            self._printed += piece
            if len(self._printed) > rules.OUTPUT:
                raise RuleBroken("output", f"it prints more than {rules.OUTPUT:,} bytes")

    def _died(self) -> RuleBroken:
        self._process.join(DYING)
        self._read_output()
        if self._process.exitcode == -signal.SIGKILL:
            return RuleBroken("memory", "the system ended its process, for want of memory as it seems")
        last = f": {self.printed}" if self.printed else ""
        return RuleBroken("no crash", f"its process ended with status {self._process.exitcode}{last}")

    def close(self) -> None:
        """End the process, and all that it started; remove its folder."""
        end_session(self._process.pid)
        self._process.kill()  # where it has no session of its own yet
        self._process.join()
        self._line.close()
        self._output.close()
        self._folder.cleanup()

    def __enter__(self) -> SubmissionProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@functools.cache
def _context() -> ForkServerContext | SpawnContext:
    """How processes are started; the server begins with the first, and ends with this process."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([submission.__name__])
    return context


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Hide this program's main file, which multiprocessing would run in the process that it starts."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
