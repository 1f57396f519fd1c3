"""What Python's audit hook tells: the events that more than one watcher looks for, and where Python's own files are."""

from __future__ import annotations

import os
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

PROCESSES = (
    *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
    "os.startfile",
)
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND  # of the flags with which a file is opened


def writes(mode: str | None, flags: int | None) -> bool:
    """Whether a file that is opened so may be written."""
    return bool((flags or 0) & WRITES or set(mode or "") & set("wax+"))


def python_folders() -> list[Path]:
    """Where Python and its packages lie, of which parts are first read when used."""
    folders = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    if (torch := find_spec("torch")) and torch.origin:
        folders.add(str(Path(torch.origin).parent.parent))
    return sorted(Path(folder).resolve() for folder in folders)
