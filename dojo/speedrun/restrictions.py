"""What a submission to the speedrun may reach from its process: its own folder and Python's packages.

It works while the code runs, by Python's audit hook, so it does not matter how a file is opened. What it catches ends
the process at once: an exception could be caught.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ..system.audit import CHANGES, PROCESSES, python_folders, writes
from .rules import THREADS

Refuse = Callable[[str, str], NoReturn]  # tells the referee which rule was broken, and how, and ends the process

CONNECTIONS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "urllib.Request")
LIBRARIES = ("ctypes.dlopen",)
LINKS = ("os.link", "os.symlink")
SYSTEM = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys", "/sys", "/etc", "/dev/urandom", "/usr")


class Restrictions:
    """Refuses what leads out of `folder`; what lies in `hidden` is not to be read even where Python's packages are."""

    def __init__(self, folder: Path, hidden: list[Path], refuse: Refuse):
        self.folder, self.hidden, self.refuse = folder.resolve(), [path.resolve() for path in hidden], refuse
        self.readable = [self.folder, *python_folders(), *map(Path, SYSTEM), Path(f"/proc/{os.getpid()}")]

    def apply(self) -> None:
        """Restrict this process from now on; there is no way back."""
        _bound_torch(self.refuse)
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._open(*arguments)
        elif event in LINKS and not self._within(arguments[0], [self.folder]):
            self.refuse("train split", f"it links to {os.fsdecode(arguments[0])}")
        elif event in CHANGES:
            for path in arguments:
                if isinstance(path, (str, bytes, os.PathLike)) and not self._within(path, [self.folder]):
                    self.refuse("fresh", f"it changes {os.fsdecode(path)}, outside of its folder")
        elif event in PROCESSES:
            self.refuse("alone", f"it starts another process ({event})")
        elif event in LIBRARIES and arguments[0] is not None:
            self.refuse("alone", f"it loads the library {arguments[0]}")
        elif event in CONNECTIONS:
            self.refuse("train split", f"it opens a connection ({event})")

    def _open(self, path: Any, mode: str | None, flags: int) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):  # a number is of a file that is open
            return
        name = os.fsdecode(path)
        if name == os.devnull:
            return
        if writes(mode, flags):
            if not self._within(name, [self.folder]):
                self.refuse("fresh", f"it writes {name}, outside of its folder")
        elif self._within(name, self.hidden) or not self._within(name, self.readable):
            self.refuse("train split", f"it opens {name}")

    def _within(self, path: Any, folders: list[Path]) -> bool:
        real = Path(os.path.realpath(os.fsdecode(path)))  # which opens nothing
        return any(real.is_relative_to(folder) for folder in folders)


def _bound_torch(refuse: Refuse) -> None:
    """Close the ways in torch that no audit hook sees: files read in C++, and more threads."""
    import torch

    set_threads = torch.set_num_threads

    def from_file(filename: Any, *_: Any, **__: Any) -> NoReturn:
        refuse("train split", f"it opens {filename}")

    def set_num_threads(count: int) -> None:
        if count > THREADS:
            refuse("two threads", f"it asks for {count} threads")
        set_threads(count)

    for holder in (torch, torch.UntypedStorage, torch.TypedStorage):
        setattr(holder, "from_file", from_file)  # noqa: B010 - a plain assignment is of another type
    setattr(torch, "set_num_threads", set_num_threads)  # noqa: B010
