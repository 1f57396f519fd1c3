"""A process that has imported torch and done nothing with it, and forks a fresh process for each job.

To import torch takes a second, and a submission to the speedrun is run in many processes. Where there is no fork, each
is started from the beginning. A request is a JSON object with `folder` and `environment`, and three pipes with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

HOME = str(Path(__file__).resolve().parents[2])
Environment = dict[str, str]


class Born:
    """A process of the nursery, used as one would use a `subprocess.Popen`."""

    def __init__(self, pid: int, pipes: tuple[IO[bytes], IO[bytes], IO[bytes]], answers: IO[bytes]):
        self.pid, (self.stdin, self.stdout, self.stderr), self._answers = pid, pipes, answers
        self._status: int | None = None

    def kill(self) -> None:
        """End it, unless it has ended."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit status when it has ended; that of a signal is negative."""
        if self._status is None:
            self._status = int(self._answers.readline() or -signal.SIGKILL)
        return self._status


class Nursery:
    """Starts processes, one at a time; a context manager."""

    def __init__(self) -> None:
        self._forks = hasattr(os, "fork") and hasattr(socket, "send_fds")
        if not self._forks:
            return
        self._socket, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dojo.speedrun.nursery", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": HOME},
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # an interrupt is for whoever judges
        )
        theirs.close()
        self._answers = self._socket.makefile("rb")

    def start(self, folder: str, environment: Environment) -> Born | subprocess.Popen[bytes]:
        """A new process of `dojo.speedrun.entry` in that folder, with that environment and pipes to talk with it."""
        if not self._forks:
            command = [sys.executable, "-m", "dojo.speedrun.entry"]
            pipe = subprocess.PIPE
            environment = environment | {"PYTHONPATH": HOME}
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=environment)
        (its_in, to), (out, its_out), (err, its_err) = (os.pipe() for _ in range(3))
        request = json.dumps({"folder": folder, "environment": environment}).encode()
        socket.send_fds(self._socket, [request], [its_in, its_out, its_err])
        pid = int(self._answers.readline())
        for end in (its_in, its_out, its_err):
            os.close(end)
        return Born(pid, (os.fdopen(to, "wb"), os.fdopen(out, "rb"), os.fdopen(err, "rb", 0)), self._answers)

    def close(self) -> None:
        """End the process that forks."""
        if self._forks:
            self._answers.close()
            self._socket.close()
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def main() -> None:
    """Fork a process for each request, and answer with its number and, when it has ended, its status."""
    from . import entry

    line = socket.socket(fileno=int(sys.argv[1]))
    while True:
        request, pipes, _, _ = socket.recv_fds(line, 1 << 16, 3)
        if not request:
            return
        pid = os.fork()
        if pid == 0:
            line.close()
            os.setsid()
            for number, pipe in enumerate(pipes):
                os.dup2(pipe, number)
                os.close(pipe)
            wanted = json.loads(request)
            os.chdir(wanted["folder"])
            os.environ.clear()
            os.environ.update(wanted["environment"])
            entry.main()
            os._exit(0)
        for pipe in pipes:
            os.close(pipe)
        line.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
