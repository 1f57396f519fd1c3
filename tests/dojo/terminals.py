"""A program in a real (pseudo-)terminal, and its screen as a person would see it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

import pyte

PATIENCE = 120.0  # seconds that something may take on a busy machine


class Terminal:
    """`python -m dojo WORDS` in a terminal of its own."""

    def __init__(self, root: Path, *words: str, columns: int = 100, rows: int = 50, **environment: str):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.chdir(root)
            os.environ.update(DOJO_ROOT=str(root), TERM="xterm-256color", **environment)
            os.environ.pop("CI", None)
            os.execv(sys.executable, [sys.executable, "-m", "dojo", *words])
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).strip()

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed, as a shell's does."""
        return bool(termios.tcgetattr(self.file)[3] & termios.ECHO)

    def read(self, seconds: float = 0.1) -> bool:
        """Take in what is written; False when the program has ended."""
        if not select.select([self.file], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.file, 65536)
        except OSError:
            return False
        self.written += data
        self.stream.feed(data)
        return bool(data)

    def wait(self, *texts: str, without: str = "\0") -> str:
        """Wait until all of `texts` are on the screen, and `without` is not; returns the screen."""
        deadline = time.monotonic() + PATIENCE
        while not all(text in self.text for text in texts) or without in self.text:
            assert time.monotonic() < deadline, f"no {texts} in\n{self.text}"
            assert self.read(), f"ended without {texts}:\n{self.text}"
        return self.text

    def until(self, *texts: str) -> None:
        """Wait until all of `texts` have been written since the last wait; quicker than looking at the screen."""
        deadline = time.monotonic() + PATIENCE
        for text in texts:
            while (at := self.written.find(text.encode())) < 0:
                assert time.monotonic() < deadline, f"no {text!r} in {self.written[-500:]!r}"
                assert self.read(), f"ended without {text!r}"
            self.written = self.written[at + len(text.encode()) :]

    def press(self, key: str) -> None:
        os.write(self.file, key.encode())

    def kill(self) -> None:
        """End the program, if it has not ended by itself."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.file)

    def ended(self) -> int:
        """Wait for the end; the exit status."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.read(0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"did not end:\n{self.text}")
