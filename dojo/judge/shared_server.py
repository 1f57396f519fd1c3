"""The server that all commands in a clone share: where it is, how it is started, how it stands. No torch here.

It is found by a socket in a folder that only the user can open. Whoever starts it binds the socket and hands it over,
so that everybody can ask at once; what is asked while torch is being imported waits in the socket.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..system.files import locked
from ..system.processes import HOME, environment
from .messages import ControlRequest, ServerStatus, line_of, status_of

SHAPING = ("DOJO_PATIENCE", "DOJO_RANDOM", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHASHSEED", "PYTHONPATH")
JUDGED_BY = ("data", "solutions", "tests/katas", "tests/mistakes")
ANSWERS = 10.0  # seconds within which a server says how it stands


def stamp(root: Path) -> str:
    """What tells whether a server judges by the files, the packages and the settings that are there now."""
    digest = hashlib.sha256(repr([sys.version, *map(os.environ.get, SHAPING)]).encode())
    with contextlib.suppress(OSError):
        digest.update(repr(root.stat().st_ino).encode())  # of a clone that was moved, another may take the place
    for packages in sys.path:
        if packages.endswith("-packages"):  # whoever installs something changes that folder
            with contextlib.suppress(OSError):
                digest.update(repr(os.stat(packages).st_mtime_ns).encode())
    for folder in (HOME / "dojo", *(root / name for name in JUDGED_BY)):
        digest.update(repr(sorted(_files(folder))).encode())
    return digest.hexdigest()[:16]


def _files(folder: Path | str) -> Iterator[tuple[str, int, int]]:
    """Each file below a folder, with what changes when it is written."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            else:
                status = entry.stat()
                yield entry.path, status.st_mtime_ns, status.st_size


def allowed() -> bool:
    """Whether commands here share a server: not where processes cannot be forked, and not unasked in CI."""
    return hasattr(os, "fork") and not os.environ.get("CI") and os.environ.get("DOJO_SERVER") != "0"


def connect(root: Path, stamp: str) -> socket.socket:
    """A connection to the clone's server, which is started where none runs. Raises OSError."""
    address = _address(root)
    with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
        return _connection(address)
    with locked(address.parent):
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):  # another was quicker
            return _connection(address)
        address.unlink(missing_ok=True)  # a killed server leaves it behind
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen()
            file = listener.fileno()
            subprocess.Popen(
                [sys.executable, "-m", "dojo.judge.server", stamp, str(file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # why it cannot start is told by the private one that comes after it
                env=environment(OMP_NUM_THREADS="1"),
                cwd=root,
                start_new_session=True,
                pass_fds=[file],
            )
        return _connection(address)


def status(root: Path) -> ServerStatus | None:
    """How the clone's server stands; None where none runs.

    Raises TimeoutError where it does not answer, and OSError where there can be none, both in words.
    """
    return _wish(root, ControlRequest("status"))


def end(root: Path) -> ServerStatus | None:
    """Let the clone's server end, and give up what it is at; None where none runs.

    Raises as `standing` does; one that does not answer is no longer found, and ends when it comes to itself.
    """
    try:
        return _wish(root, ControlRequest("end"))
    except TimeoutError:
        _address(root).unlink(missing_ok=True)
        raise


def _wish(root: Path, wish: ControlRequest) -> ServerStatus | None:
    address = _address(root)
    try:
        connection = _connection(address)
    except OSError:
        return None
    with connection, connection.makefile("rw", encoding="utf-8") as lines:
        connection.settimeout(ANSWERS)
        try:
            lines.write(line_of(wish))
            lines.flush()
            line = lines.readline()
        except TimeoutError:
            raise TimeoutError("it does not answer") from None
        except OSError:  # it has just ended
            return None
        return status_of(line) if line else None


def _connection(address: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWERS)  # where so many wait that no more fit in the socket
    try:
        connection.connect(str(address))
    except OSError:
        connection.close()
        raise
    return connection


def _address(root: Path) -> Path:
    """The socket of a clone's server. Raises OSError where there is no folder that only this user can open."""
    if not hasattr(os, "fork"):
        raise OSError("this system cannot fork a process for each verdict")
    within = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(within, f"dojo-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
    status = os.lstat(folder)
    if status.st_uid != os.getuid() or status.st_mode & 0o170077 != 0o040000:
        raise PermissionError(f"{folder} is not a folder that only you can open")
    clone = f"{root.resolve()}\0{HOME}".encode()
    return folder / f"{hashlib.sha256(clone).hexdigest()[:16]}.sock"
