"""Call a function in a fresh process, where nothing of the code under test is in memory; it is loaded there anew.

A process that was forked before that code was loaded is as fresh as one that is started, and need not import torch.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loader import Subject

CHILD = """import json, sys
sys.path[:] = json.loads(sys.argv[2])
from dojo.sandbox.clean_process import _start
_start(sys.argv[1])"""
EARLIER = re.compile(r"^\s*(from\s+(\.|katas\b)|import\s+katas\b)", re.MULTILINE)


class CleanProcessError(Exception):
    """What the code raised in the fresh process, or that it gave no answer."""


_spare: socket.socket | None = None  # the way to the process that `prepare` keeps


def prepare() -> None:
    """Fork a process for the next `call`. Without it, and where the system cannot fork, that starts Python anew."""
    global _spare
    if not hasattr(os, "fork"):
        return
    _spare = None  # an earlier one ends when nobody can ask it any more
    _spare, its = socket.socketpair()
    first = os.fork()
    if first == 0:
        if os.fork() == 0:  # a grandchild: nobody has to wait for its end
            _spare.close()
            _serve(its)
        os._exit(0)
    os.waitpid(first, 0)
    its.close()


def call(kata: Subject, function: Callable[..., Any], *arguments: Any, needs: Sequence[Callable[..., Any]] = ()) -> Any:
    """What `function(kata, *arguments)` returns in a fresh process. Raises CleanProcessError.

    It is carried over as source: besides `torch` it may use only the functions in `needs`. Arguments are what JSON
    can hold, the result is tensors and plain values.
    """
    import torch

    loaded = [name for name, module in list(sys.modules.items()) if getattr(module, "__name__", "") == name]
    job = {"source": kata.source, "filename": kata.filename, "name": kata.module.__name__, "slug": kata.home.slug}
    job |= {"solved": [n.split(".")[1] for n in loaded if re.fullmatch(r"katas\.\w+\.\w+", n)]}  # not the stand-ins
    job |= {"root": str(kata.home.root), "call": function.__name__, "arguments": arguments}
    job |= {"code": "\n\n".join(inspect.getsource(one) for one in (*needs, function))}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "job.json").write_text(json.dumps(job), encoding="utf-8")
        _ask(folder)
        if not Path(folder, "answer.pt").is_file():
            said = Path(folder, "error.txt")
            why = said.read_text(encoding="utf-8") if said.is_file() else "it gave no answer"
            raise CleanProcessError(f"in a new process: {why}")
        return torch.load(Path(folder, "answer.pt"), weights_only=True)


def _ask(folder: str) -> None:
    """Let a fresh process do the job in `folder`, and wait until it has."""
    global _spare
    if _spare is not None:
        with _spare:
            _spare.sendall(folder.encode())
            _spare.recv(1)  # nothing comes, but it ends
        _spare = None
    else:
        paths = [str(Path(__file__).resolve().parents[2]), *sys.path]
        command = [sys.executable, "-c", CHILD, folder, json.dumps(paths)]
        subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, timeout=60)


def _serve(asked: socket.socket) -> None:
    """Be the process that was kept: do one job, then end."""
    try:
        signal.alarm(60)  # whoever asks may be gone
        if folder := asked.recv(65536):
            _answer(folder.decode())
    finally:
        os._exit(0)


def _start(folder: str) -> None:
    """Be a process that was started anew: do the job."""
    import torch

    torch.set_num_threads(1)
    # The first optimizer imports torch's compiler, which takes longer than torch, only to tell it to keep out.
    torch._dynamo = sys.modules["torch._dynamo"] = ModuleType("torch._dynamo")
    torch._dynamo.disable = lambda function, *_, **__: function
    torch._dynamo.graph_break = lambda *_, **__: None
    _answer(folder)


def _answer(folder: str) -> None:
    import torch

    try:
        job = json.loads(Path(folder, "job.json").read_text(encoding="utf-8"))
        space: dict[str, Any] = {"torch": torch}
        exec(job["code"], space)
        torch.save(space[job["call"]](_load(job), *job["arguments"]), Path(folder, "answer.pt"))
    except BaseException as error:
        Path(folder, "error.txt").write_text("".join(traceback.format_exception_only(error)).strip(), encoding="utf-8")


def _load(job: dict[str, Any]) -> ModuleType:
    """The module of the code under test; the machinery is imported only where it builds on earlier katas."""
    if EARLIER.search(job["source"]):
        from ..curriculum.catalog import Catalog
        from .loader import Workspace

        workspace = Workspace(Catalog(Path(job["root"])), frozenset(job["solved"]) - {job["slug"]})
        kata = workspace.catalog.by_slug(job["slug"])
        if job["name"].startswith("katas."):
            return workspace.learner(kata, Path(job["filename"])).module
        return workspace.variant(kata, job["source"], "fresh").module
    module = sys.modules[job["name"]] = ModuleType(job["name"])
    module.__file__ = job["filename"]
    exec(compile(job["source"], job["filename"], "exec", dont_inherit=True), module.__dict__)
    return module
