"""What code under test may not do to its surroundings: read the solutions, or fill the machine with processes."""

from __future__ import annotations

import os
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
    if event in ("os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen") and _forbidden:
        global _started
        _started += 1
        if _started > FORKS:
            raise Refused("Your code starts one process after another.")
    if event != "open" or not _forbidden or not isinstance(arguments[0], (str, bytes)):
        return
    name = os.fsdecode(arguments[0])
    if "solutions" not in name and "mistakes" not in name and "alternatives" not in name:
        return
    path = Path(name).resolve()
    if any(path.is_relative_to(folder) for folder in _forbidden) and not _shows_a_line():
        raise Refused("Your file reads the reference solutions. They are for comparing, after you have passed.")


def _shows_a_line() -> bool:
    """Whether a traceback or a warning opens the file, to quote the line of code that it is about."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") in ("tokenize", "linecache"):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") in ("traceback", "warnings")
