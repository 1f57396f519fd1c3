"""What the system keeps a process from, once a submission runs in it: namespaces of its own on Linux, and bounds.

The worker itself is started in a sandbox (see `sandbox`), in which it may make namespaces. Each submission then gets a
folder of temporary files, process numbers and a view of the files of its own, which go with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

# From the headers of Linux; the same on all its machines.
NEW_MOUNTS, NEW_PROCESSES, NEW_IPC = 0x00020000, 0x20000000, 0x08000000
READ_ONLY, PRIVATE, RECURSIVE, NO_SUID, NO_DEVICES = 0x1, 0x40000, 0x4000, 0x2, 0x4
DIE_WITH_PARENT, DUMPABLE, DROP_BOUNDING, NO_NEW_PRIVILEGES = 1, 4, 24, 38
CAPABILITIES = 41  # as many as there are by now; more are no error that matters
VERSION_3 = 0x20080522  # of the structures of capset

TEMPORARY = "size=192m,nr_inodes=20000,mode=777"  # of a submission's folder
FILE = 128 << 20  # bytes of one file
FILES = 256  # that may be open
PROCESSOR = 240  # seconds of all claims together, which have bounds of their own


class NotConfined(RuntimeError):
    """The system refuses a namespace; the message says which."""


def enter(folder: str) -> int:
    """Give this process files, and its children process numbers, of their own; returns the first child, which idles.

    When that one ends, the system ends all other processes of the same numbering. Raises NotConfined.
    """
    _call("unshare", NEW_MOUNTS | NEW_PROCESSES | NEW_IPC)
    _call("mount", b"none", b"/", None, PRIVATE | RECURSIVE, None)
    _call("mount", b"tmpfs", folder.encode(), b"tmpfs", NO_SUID | NO_DEVICES, TEMPORARY.encode())
    first = os.fork()
    if first == 0:
        _libc().prctl(DIE_WITH_PARENT, signal.SIGKILL)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            signal.pause()
    return first


def hide(folders: Iterable[Path]) -> None:
    """Have this process see nothing in these folders. Raises NotConfined."""
    _call("unshare", NEW_MOUNTS)
    for folder in folders:
        if folder.is_dir():
            _call("mount", b"tmpfs", str(folder).encode(), b"tmpfs", READ_ONLY, b"size=4k")


def drop() -> None:
    """Give up all that this process may do beyond its user, for good. Raises NotConfined."""
    libc = _libc()
    _call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    for capability in range(CAPABILITIES):
        libc.prctl(DROP_BOUNDING, capability, 0, 0, 0)
    _call("capset", (ctypes.c_uint32 * 2)(VERSION_3, 0), (ctypes.c_uint32 * 6)())
    libc.prctl(DUMPABLE, 0, 0, 0, 0)


def bound() -> None:
    """Bound the files that this process may write and open, and its processor time in all."""
    import resource

    for which, most in (("FSIZE", FILE), ("NOFILE", FILES), ("CPU", PROCESSOR), ("CORE", 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{which}"), (most, most))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc(), name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise NotConfined(f"{name}: {os.strerror(error)}")


def main() -> None:
    """Try all of it, as for a submission; ends with an error that says what the system refuses."""
    first = enter("/submission")
    child = os.fork()
    if child == 0:
        hide([])
        drop()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    os.kill(first, signal.SIGKILL)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
