"""The server where no process can be forked (Windows): a worker is started for each verdict. No torch here.

`python -m dojo.judge.spawn_server STAMP` answers the process that started it by its standard streams, as `server` does.
To import torch takes seconds, so the next process is started as soon as a verdict is there.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO

from ..system.processes import end, environment, lines_of
from .messages import Request, Response, line_of, message_of
from .request_queue import CANCELLED
from .verdict import Verdict
from .worker import CLOCK, SILENCE, Worker

LOOK = 0.05  # seconds between looks whether the process still runs, and whether the verdict is still wanted
READING = 1.0  # seconds in which the rest of what an ended process wrote is read
Came = queue.SimpleQueue[tuple[bool, bytes]]  # what a process wrote, in order: whether it sent or printed it, and what


def main() -> None:
    """Serve until the standard input ends."""
    lines = lines_of(sys.stdin)
    child = SpawnedWorker()
    try:
        while line := lines.get():
            if isinstance(request := message_of(line), Request):
                verdict = child.judge(request, lambda: not lines.empty())
                sys.stdout.write(line_of(Response(request.id, verdict)))
                sys.stdout.flush()
                child = SpawnedWorker()
    finally:
        child.end()


class SpawnedWorker:
    """A process that was started to judge one request; it imports torch before there is any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "dojo.judge.spawn_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(OMP_NUM_THREADS="1"),
            start_new_session=True,
        )
        self._came: Came = queue.SimpleQueue()
        streams = ((self._process.stdout, True), (self._process.stderr, False))
        self._readers = [threading.Thread(target=self._read, args=stream, daemon=True) for stream in streams]
        for reader in self._readers:
            reader.start()

    def judge(self, request: Request, cancelled: Callable[[], bool]) -> Verdict:
        """Have it judge, until it ends, has to be stopped, or the verdict is not wanted any more; then it is ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended already, as its status will show
            self._process.stdin.write(line_of(request).encode())
            self._process.stdin.flush()
        worker = Worker(request)
        try:
            while not worker.trouble and (self._take(worker) or self._runs()):
                if cancelled():
                    return Verdict(request.slug.split("_")[0], "error", message=CANCELLED)
                worker.stop_what_does_not_end(SILENCE if worker.sent else CLOCK)  # before, torch is imported
        finally:
            worker.status = self.end()
        return worker.verdict()

    def end(self) -> int:
        """End it, and what it has started; its status."""
        return end(self._process)

    def _take(self, worker: Worker) -> bool:
        """Take what it wrote in; False where nothing came for a moment."""
        try:
            sent, data = self._came.get(timeout=LOOK)
        except queue.Empty:
            return False
        if not sent:
            worker.take_output(data)
            return True
        if not worker.sent:  # what was printed before it began is torch's, not the learner's
            worker.output, worker.printed = b"", 0
        worker.take_event(data)
        return True

    def _runs(self) -> bool:
        """Whether there may be more to come: it runs, or has left something to be read."""
        if self._process.poll() is None:
            return True
        for reader in self._readers:  # what it left running may hold the pipes open
            reader.join(READING)
        return not self._came.empty()

    def _read(self, stream: IO[bytes], sent: bool) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            while data := os.read(stream.fileno(), 65536):
                self._came.put((sent, data))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
