"""Ask for verdicts without importing torch: a server process does the work.

It is the server that all commands in a clone share, or one of this process's own where that cannot be.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ..curriculum.catalog import Kata
from ..system.command import door
from ..system.processes import PATIENCE, end, environment
from . import shared_server
from .messages import Request, Response, line_of, response_of
from .verdict import Verdict

SILENCE = 60.0 * PATIENCE  # seconds without an answer after which a shared server has to show that it lives


class JudgeError(RuntimeError):
    """The server could not be started, or died; the message holds what it printed."""


class SharedServer:
    """A connection to the server that the commands in a clone share. Raises OSError where there can be none."""

    def __init__(self, root: Path, stamp: str):
        self.root = root
        self._socket = shared_server.connect(root, stamp)
        self._read = b""  # the beginning of a line

    def judges_by(self, stamp: str) -> bool:
        """Whether it judges by these files: it says itself where it does not."""
        return True

    def send(self, request: Request) -> None:
        """Ask; where the server is gone, nothing happens: reading the answer shows it."""
        with contextlib.suppress(OSError):
            self._socket.sendall(line_of(request).encode())

    def answer(self) -> Response | None:
        """The next answer; None where the server has hung up, or does not even say any more how it stands."""
        while b"\n" not in self._read:
            try:
                self._socket.settimeout(SILENCE)
                data = self._socket.recv(65536)
            except TimeoutError:
                if not self._lives():
                    return None
                continue
            except OSError:  # reset, or closed by another thread
                return None
            if not data:
                return None
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return response_of(line)

    def _lives(self) -> bool:
        try:
            return shared_server.status(self.root) is not None
        except OSError:
            with contextlib.suppress(OSError):
                shared_server.end(self.root)
            return False

    def last_words(self) -> str:
        """Nothing that anybody could read: a server of one's own says what is wrong."""
        return "it hung up."

    def close(self) -> None:
        """Hang up, which gives up what was asked; the server stays."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # a thread that waits for an answer is to notice
        self._socket.close()


class OwnServer:
    """A server of this process's own, which ends with it."""

    def __init__(self, root: Path, stamp: str):
        self._stamp = stamp
        self._process: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, "-m", "dojo.judge.server" if hasattr(os, "fork") else "dojo.judge.spawn_server", stamp],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment(OMP_NUM_THREADS="1"),
            cwd=root,
            start_new_session=True,  # an interrupt is for whoever asks, who then closes this
        )

    def judges_by(self, stamp: str) -> bool:
        """Whether it judges by these files, and lives."""
        return self._stamp == stamp and self._process.poll() is None

    def send(self, request: Request) -> None:
        """Ask; where the server is gone, nothing happens: reading the answer shows it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(line_of(request))
            self._process.stdin.flush()

    def answer(self) -> Response | None:
        """The next answer; None where the server has ended."""
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
        except ValueError:  # closed by another thread
            return None
        return response_of(line) if line else None

    def last_words(self) -> str:
        """The last line that it has printed as an error, once it has hung up."""
        assert self._process.stderr is not None
        return (self._process.stderr.read().strip().splitlines() or ["it said nothing."])[-1]

    def close(self) -> None:
        """End it."""
        end(self._process, seconds=5)  # it may be getting ready for a next request that will not come


class Judge:
    """Gives verdicts, one at a time. Use it as a context manager."""

    def __init__(self, root: Path):
        self.root = root
        self._server: SharedServer | OwnServer | None = None
        self._waiting: deque[Request] = deque()  # what was asked and is not answered, in order
        self._asked = 0
        self._lock = threading.RLock()  # one thread may ask while another waits for the answer

    def verdict(
        self, kata: Kata, solved: frozenset[str] = frozenset(), path: Path | None = None, diagnose: bool = True
    ) -> Verdict:
        """Judge the file of a kata, or the one at `path`. Raises JudgeError."""
        self.ask(kata, solved, path, diagnose)
        return self.answer()

    def ask(
        self, kata: Kata, solved: frozenset[str] = frozenset(), path: Path | None = None, diagnose: bool = True
    ) -> None:
        """Ask for a verdict, and put an end to the one that was asked for before, where that is not there yet."""
        stamp = shared_server.stamp(self.root)
        with self._lock:
            self._asked += 1
            name = str(path) if path else None
            request = Request(str(kata.root), kata.slug, sorted(solved), name, diagnose, self._asked, stamp, door())
            self._waiting.append(request)
            if self._server is not None and self._server.judges_by(stamp):
                self._server.send(request)
            else:
                self._leave()
                self._connect(stamp)

    def answer(self) -> Verdict:
        """Wait for the answer to the earliest question that has none. Raises JudgeError."""
        why, failures = "it was closed", 0
        while (server := self._server) is not None:
            answer = server.answer()
            with self._lock:
                if answer is not None and self._waiting and answer.id == self._waiting[0].id:
                    self._waiting.popleft()
                    return answer.verdict
                if answer is None and server is self._server:
                    why, failures = server.last_words(), failures + 1
                    self._leave()
                    if isinstance(server, SharedServer):  # it judges by other files, was just ending, or was killed
                        self._connect(shared_server.stamp(self.root), alone=failures > 1)
        self.close()
        raise JudgeError(f"The judge could not start or went away: {why}")

    def close(self) -> None:
        """Give up what was asked for. A server of one's own ends, and the shared one stays."""
        with self._lock:
            self._waiting.clear()
            self._leave()

    def _leave(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _connect(self, stamp: str, alone: bool = False) -> None:
        """Connect, and ask what is still to be answered; `alone`: to a server of one's own."""
        if shared_server.allowed() and not alone:
            with contextlib.suppress(OSError):  # the folder cannot be written, or others can; the disk is full
                self._server = SharedServer(self.root, stamp)
        self._server = self._server or OwnServer(self.root, stamp)
        self._waiting = deque(replace(request, stamp=stamp) for request in self._waiting)
        for request in self._waiting:
            self._server.send(request)

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
