"""What code under test may not do to its surroundings: read the solutions, or fill the machine with processes.

Solutions are not opened, imported, copied, linked or handed to another program by name, and not taken out of the
judge's memory by way of their module or the garbage collector. Whoever goes to more trouble than that (walks the
judge's frames, composes the name inside a shell, uses ctypes) gets through: that is no accident.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from ..spec.errors import Refused

_forbidden: list[Path] = []  # folders that the code now running may not read; empty while ours runs
_hooked = False
_started = 0  # processes that this one has started, and its forebears
READS = "Your file reads the reference solutions. They are for comparing, after you have passed."
LEARNER = "katas"  # the package that code under test is loaded into
WORDS = ("solutions", "mistakes", "alternatives", "verdicts")  # a path with none of them is looked at no further
NAMED = re.compile(r"(?<![\w/-])(\.{1,2}/)*solutions/")  # in a command that starts in the tree
PROCESSES = ("os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen")
COMMANDS = ("os.posix_spawn", "subprocess.Popen", "os.system", "os.exec")
FILES = ("open", "os.link", "os.symlink", "os.rename", "shutil.copyfile", "shutil.copytree", "shutil.move")
LOOKED_AT = {*PROCESSES, *COMMANDS, *FILES, "gc.get_objects", "gc.get_referrers", "gc.get_referents"}
FORKS = 8  # a process that forks for ever makes 2 to the power of this


@contextmanager
def forbid_reading(*folders: Path) -> Iterator[None]:
    """While this lasts, whoever opens a file in one of `folders` is refused; without folders nobody is."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_refuse)  # an audit hook cannot be taken off again, so it stays and looks at _forbidden
        _hooked = True
    before = _forbidden[:]
    _forbidden[:] = folders
    try:
        yield
    finally:
        _forbidden[:] = before


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _forbidden or event not in LOOKED_AT:
        return
    if event in PROCESSES:
        global _started
        _started += 1
        if _started > FORKS:
            raise Refused("Your code starts one process after another.")
    if event in COMMANDS:
        command = repr(arguments[:2])
        if NAMED.search(command) or any(str(folder) in command for folder in _forbidden):
            raise Refused(READS)
    elif event.startswith("gc."):
        if _called_by_learner():
            raise Refused("Your code looks through all objects in memory, the reference solutions among them.")
    elif event not in PROCESSES and any(map(_is_forbidden, arguments[:2])) and not _shows_a_line():
        raise Refused(READS)


def _is_forbidden(name: Any) -> bool:
    """Whether a file of that name, which may be relative or a link, is in one of the folders."""
    if not isinstance(name, (str, bytes, os.PathLike)):
        return False
    path = Path(os.path.realpath(os.fsdecode(name)))
    return any(word in path.parts for word in WORDS) and any(path.is_relative_to(folder) for folder in _forbidden)


def _called_by_learner() -> bool:
    return str(sys._getframe(2).f_globals.get("__name__", "")).startswith(f"{LEARNER}.")


def _shows_a_line() -> bool:
    """Whether a traceback or a warning opens the file, to quote the line of code that it is about."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") in ("tokenize", "linecache"):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") in ("traceback", "warnings")
