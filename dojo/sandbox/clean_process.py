"""Call a function in a process where nothing of the code under test is in memory; it is loaded there anew.

That process is either forked before the code is loaded (`prepare`) or, without that, started.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..curriculum.catalog import Catalog
from ..system.processes import environment

SECONDS = 60  # that a call may take


class CleanProcessError(Exception):
    """What the code raised in the clean process, or that it gave no answer."""


@dataclass(frozen=True)
class Job:
    """A call to be made: `function(module, *arguments)`, where `code` defines it and what it needs besides torch."""

    root: str
    slug: str
    solved: list[str]  # slugs of the katas whose file the module may build on
    module: str  # its name
    filename: str
    source: str  # its text
    code: str
    function: str
    arguments: list[Any]  # what JSON can hold


_spare: socket.socket | None = None  # the way to the process that `prepare` keeps


def prepare() -> None:
    """Fork a process for the next `call`, where the system can."""
    global _spare
    if not hasattr(os, "fork"):
        return
    _spare = None  # an earlier one ends when nobody can ask it any more
    _spare, its = socket.socketpair()
    child = os.fork()
    if child == 0:
        if os.fork() == 0:  # a grandchild: nobody has to wait for its end
            _spare.close()
            _serve(its)
        os._exit(0)
    os.waitpid(child, 0)
    its.close()


def call(job: Job) -> Any:
    """What the function returns in a clean process: tensors and plain values. Raises CleanProcessError."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        double = torch.get_default_dtype() == torch.float64
        Path(folder, "job.json").write_text(json.dumps([asdict(job), double]), encoding="utf-8")
        _ask(folder)
        if not Path(folder, "answer.pt").is_file():
            error = Path(folder, "error.txt")
            why = error.read_text(encoding="utf-8") if error.is_file() else "it gave no answer"
            raise CleanProcessError(f"in a new process: {why}")
        return torch.load(Path(folder, "answer.pt"), weights_only=True)


def _ask(folder: str) -> None:
    """Let a clean process do the job in `folder`, and wait until it has."""
    global _spare
    if _spare is not None:
        with _spare:
            _spare.sendall(folder.encode())
            _spare.recv(1)  # nothing comes, but it ends
        _spare = None
    else:
        command = [sys.executable, "-m", __name__, folder]
        subprocess.run(command, env=environment(OMP_NUM_THREADS="1"), capture_output=True, timeout=SECONDS)


def _serve(requests: socket.socket) -> None:
    """Be the process that was kept: do one job, then end."""
    try:
        signal.alarm(SECONDS)  # whoever asks may be gone
        if folder := requests.recv(65536):
            _answer(folder.decode())
    finally:
        os._exit(0)


def _answer(folder: str) -> None:
    import torch

    from .loader import Workspace

    try:
        fields, double = json.loads(Path(folder, "job.json").read_text(encoding="utf-8"))
        job = Job(**fields)
        torch.set_default_dtype(torch.float64 if double else torch.float32)
        workspace = Workspace(Catalog(Path(job.root)), frozenset(job.solved))
        kata = workspace.catalog.by_slug(job.slug)
        subject = workspace.load_text(kata, job.source, job.filename, job.module)
        space: dict[str, Any] = {"torch": torch}
        exec(job.code, space)
        torch.save(space[job.function](subject.module, *job.arguments), Path(folder, "answer.pt"))
    except BaseException as error:
        Path(folder, "error.txt").write_text("".join(traceback.format_exception_only(error)).strip(), encoding="utf-8")


if __name__ == "__main__":
    _answer(sys.argv[1])
