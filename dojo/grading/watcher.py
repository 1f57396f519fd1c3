"""Looks on, by Python's audit hook, at what a process does that runs a submission; a hook cannot be taken off again."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from ..system.audit import CHANGES, PROCESSES, python_folders, writes
from ..system.processes import HOME
from .views import Refuse

SIGNALS = ("os.kill", "os.killpg", "signal.pthread_kill")
CONNECTIONS = ("socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto")
MEMORY = ("ctypes.dlopen", "ctypes.dlsym", "ctypes.call_function", "ctypes.cdata", "gc.get_objects", "gc.get_referrers")
CODE = ("sys.addaudithook", "sys._current_frames", "cpython.run_command", "code.interact")
WHY = {
    **dict.fromkeys(PROCESSES, "it starts a process"),
    **dict.fromkeys(SIGNALS, "it sends a signal"),
    **dict.fromkeys(CONNECTIONS, "it opens a connection"),
    **dict.fromkeys(MEMORY, "it looks at memory that is not its own"),
    **dict.fromkeys(CODE, "it looks at what Python does"),
}
SYSTEM = (
    "/dev",
    "/etc/fonts",
    "/etc/localtime",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys",
    "/sys",
    "/usr",
)
LOOKS = ("os.listdir", "os.scandir", "glob.glob")


def watch_over(root: Path, file: Path, refuse: Refuse) -> None:
    """From now on refuse what leads out of the folder of temporary files, and what is no business of a submission's.

    Files are read where Python, its packages and the machinery are; `file` is the submission itself.
    """
    own = os.path.realpath(tempfile.gettempdir())
    readable = (own, *_readable(root))
    imported_from = set(map(os.path.realpath, sys.path))  # whoever imports has these listed

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, written = _real(arguments[0]), writes(arguments[1], arguments[2])
            if path not in ("", os.devnull) and not _within(path, (own,) if written else readable):
                refuse(f"it {'writes' if written else 'opens'} {path[:100]}, which is not in its folder")
        elif event in LOOKS and _is_running(str(file)):
            path = _real(arguments[0] or ".")
            if path and path not in imported_from and not _within(path, readable):
                refuse(f"it lists {path[:100]}, which is not its folder")
        elif event in CHANGES:
            for path in map(_real, arguments):
                if path and not _within(path, (own,)):
                    refuse(f"it changes {path[:100]}, which is not in its folder")
        elif event in WHY and _is_running(str(file)):
            refuse(WHY[event])

    sys.addaudithook(look)


def _real(path: Any) -> str:
    """The path of a file as it is on the disk; nothing for what is no path, such as the number of an open file."""
    return os.path.realpath(os.fsdecode(path)) if isinstance(path, (str, bytes, os.PathLike)) else ""


def _readable(root: Path) -> list[str]:
    """Where Python, its packages and the machinery are, and what tells of the machine."""
    places = [*python_folders(), HOME / "dojo", HOME / "data"]
    places += [root / name for name in ("dojo", "data", "tests/katas", ".dojo/index")]
    return [*map(os.path.realpath, places), *SYSTEM, f"/proc/{os.getpid()}/statm"]


def _within(name: str, folders: Iterable[str]) -> bool:
    return any(name == folder or name.startswith(folder + os.sep) for folder in folders)


def _is_running(file: str) -> bool:
    """Whether the submission's code called what is happening, however many calls ago."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    return frame is not None
