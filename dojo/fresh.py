"""Call a function in a fresh Python process, where nothing is in memory but the code under test, loaded anew.

It costs the import of torch, about a second, so a verdict can afford one such call.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .workspace import Subject

CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from dojo.fresh import _answer; _answer(sys.argv[1])"
EARLIER = re.compile(r"^\s*(from\s+(\.|katas\b)|import\s+katas\b)", re.MULTILINE)


class FreshError(Exception):
    """What the code raised in the fresh process, or that it gave no answer."""


def call(kata: Subject, function: Callable[..., Any], *arguments: Any, needs: Sequence[Callable[..., Any]] = ()) -> Any:
    """What `function(kata, *arguments)` returns in a fresh process. Raises FreshError.

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
        paths = [str(Path(__file__).resolve().parent.parent), *sys.path]
        command = [sys.executable, "-c", CHILD, folder, json.dumps(paths)]
        done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, timeout=60)
        if done.returncode != 0:
            raise FreshError("in a new process: " + (done.stderr.decode(errors="replace").split("\n")[-2:] or [""])[0])
        return torch.load(Path(folder, "answer.pt"), weights_only=True)


def _answer(folder: str) -> None:
    import torch

    torch.set_num_threads(1)
    # The first optimizer imports torch's compiler, which takes longer than torch, only to tell it to keep out.
    torch._dynamo = sys.modules["torch._dynamo"] = ModuleType("torch._dynamo")
    torch._dynamo.disable = lambda function, *_, **__: function
    torch._dynamo.graph_break = lambda *_, **__: None
    job = json.loads(Path(folder, "job.json").read_text(encoding="utf-8"))
    space: dict[str, Any] = {"torch": torch}
    exec(job["code"], space)
    torch.save(space[job["call"]](_load(job), *job["arguments"]), Path(folder, "answer.pt"))


def _load(job: dict[str, Any]) -> ModuleType:
    """The module of the code under test; the machinery is imported only where it builds on earlier katas."""
    if EARLIER.search(job["source"]):
        from .catalog import Catalog
        from .workspace import Workspace

        workspace = Workspace(Catalog(Path(job["root"])), frozenset(job["solved"]) - {job["slug"]})
        kata = workspace.catalog.by_slug(job["slug"])
        if job["name"].startswith("katas."):
            return workspace.learner(kata, Path(job["filename"])).module
        return workspace.variant(kata, job["source"], "fresh").module
    module = sys.modules[job["name"]] = ModuleType(job["name"])
    module.__file__ = job["filename"]
    exec(compile(job["source"], job["filename"], "exec", dont_inherit=True), module.__dict__)
    return module
