"""How a worker is started apart from all that is not a submission's: by bubblewrap, or in a container. No torch here.

Either way it has no network, sees Python, the machinery and the katas, each read only, and a folder for temporary
files. In bubblewrap's sandbox it makes a namespace for each submission; in a container it may not, so there a worker
judges one submission and ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..system.command import DOOR, door
from ..system.processes import HOME, PATIENCE

Kind = Literal["bubblewrap", "docker", "podman", "none"]
FOLDER = "/submission"  # of temporary files, within
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts")
# Of the tree, what is needed to judge; the learner's own progress, runs and downloads are not.
TREE = ("solutions", "katas", "tests/katas", "tests/mistakes", "data/index", ".dojo/index", "data/small_ranks.tiktoken")
TREE_TOO = ("data/sources.toml", "data/verona.toml")
CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETPCAP")  # to make namespaces, and to give all of them up for good
IMAGE = "debian:stable-slim"  # of which nothing is used but that it is there
TRIED = 30.0 * PATIENCE  # seconds in which a sandbox has to show that it works


class NoSandbox(Exception):
    """There is no sandbox here; the message says what was tried, and what to do."""


@dataclass(frozen=True)
class Sandbox:
    """A way to start a worker."""

    kind: Kind

    @property
    def serves(self) -> bool:
        """Whether one worker may judge many submissions, each apart from the others."""
        return self.kind in ("bubblewrap", "none")

    def command(self, root: Path, *program: str) -> list[str]:
        """The command that runs Python with these arguments in the sandbox."""
        python = [sys.executable, *program]
        if self.kind == "none":
            return python
        return [*(_bubblewrap(root) if self.kind == "bubblewrap" else _container(self.kind, root)), *python]

    def works(self, root: Path) -> str:
        """Nothing where a worker can be started this way, else what is said."""
        command = self.command(root, "-m", "dojo.grading.confine" if self.kind == "bubblewrap" else "dojo.grading")
        try:
            done = subprocess.run(command, env=environment(root), capture_output=True, timeout=TRIED, cwd="/")
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return "" if done.returncode == 0 else (lines or [f"it ended with status {done.returncode}"])[-1]


def choose(root: Path, trust: bool = False) -> Sandbox:
    """The first way that works here; with `trust`, none where none does. Raises NoSandbox."""
    if not hasattr(os, "fork"):
        raise NoSandbox("Submissions are judged in processes that are forked, which this system has not: grade in WSL.")
    tried = []
    for program, kind in (("bwrap", "bubblewrap"), ("podman", "podman"), ("docker", "docker")):
        if shutil.which(program):
            sandbox = Sandbox(kind)  # type: ignore[arg-type]
            if not (why := sandbox.works(root)):
                return sandbox
            tried.append(f"{kind}: {why}")
    if trust:
        return Sandbox("none")
    why = "; ".join(tried) or "neither bubblewrap nor podman nor docker is installed"
    raise NoSandbox(
        f"There is no sandbox for strangers' code here ({why}). Install bubblewrap (apt install bubblewrap), or grade "
        "only whom you trust as you trust yourself, with --trust."
    )


def environment(root: Path) -> dict[str, str]:
    """The environment of a worker: nothing of the leader's."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "DOJO_PATIENCE") if name in os.environ}
    folder = {name: FOLDER for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")}
    return kept | folder | _settings(root)


def _settings(root: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(HOME),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DOJO_ROOT": str(root),
        "DOJO_SERVER": "0",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        DOOR: door(),
    }


def seen(root: Path) -> list[Path]:
    """What a worker sees besides the system, parents before what is in them."""
    python = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), os.path.dirname(sys.executable)}
    paths = {Path(path) for path in python} | {Path(path).resolve() for path in python}
    paths |= {HOME / "dojo", *(root / name for name in (*TREE, *TREE_TOO))}
    return sorted(_outermost(path for path in paths if path.exists() and not str(path).startswith(SYSTEM)))


def _outermost(paths: Iterable[Path]) -> list[Path]:
    every = set(paths)
    return [path for path in every if not any(parent in every for parent in path.parents)]


def _bubblewrap(root: Path) -> list[str]:
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--hostname", "grading"]
    words += [word for name in CAPABILITIES for word in ("--cap-add", name)]
    for place in SYSTEM:
        linked = os.path.islink(place)
        words += ["--symlink", os.readlink(place), place] if linked else ["--ro-bind-try", place, place]
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--size", str(256 << 20), "--tmpfs", FOLDER]
    for path in seen(root):
        words += ["--ro-bind", str(path), str(path)]
    return [*words, "--chdir", FOLDER, "--"]


def _container(kind: str, root: Path) -> list[str]:
    words = [kind, "run", "--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "ALL"]
    words += ["--security-opt", "no-new-privileges", "--pids-limit", "128", "--memory", "8g", "--workdir", FOLDER]
    words += ["--tmpfs", f"{FOLDER}:size={256 << 20},mode=1777"]
    for place in (*map(Path, ("/usr", "/lib", "/lib64")), *seen(root)):
        if place.exists():
            words += ["--volume", f"{place.resolve()}:{place}:ro"]
    for name, value in environment(root).items():
        words += ["--env", f"{name}={value}"]
    return [*words, IMAGE]
