"""Read what is in a zip or a tar of a stranger's, within bounds, into memory: nothing is ever unpacked to the disk.

An archive with anything in it that could lead outside of it, or that grows past the bounds, is refused as a whole.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

PACKED = 64 << 20  # bytes that an archive may have
UNPACKED = 256 << 20  # bytes that all in it may have
RATIO = 200  # how many times as large as in the archive a file may be that is larger than EVEN
EVEN = 1 << 20
ENTRIES = 5_000
NAME = 300  # characters of a name
ONE = 4 << 20  # bytes of a file that is read
ENDINGS = (".zip", ".tar.gz", ".tgz", ".tar")
Wanted = Callable[[PurePosixPath], bool]


class Refused(Exception):
    """An archive, or a file, that is not read; the message says why."""


def is_archive(name: str) -> bool:
    """Whether a file of that name is taken for an archive."""
    return name.lower().endswith(ENDINGS)


def files_in(path: Path, wanted: Wanted) -> dict[PurePosixPath, bytes]:
    """The wanted files of an archive. Raises Refused."""
    if path.stat().st_size > PACKED:
        raise Refused(f"it has {path.stat().st_size:,} bytes, and {PACKED:,} is the most")
    found: dict[PurePosixPath, bytes] = {}
    try:
        for name, content in (_zip if path.name.lower().endswith(".zip") else _tar)(path, wanted):
            if name in found:
                raise Refused(f"two files in it are called {shown(str(name))}")
            found[name] = content
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile) as error:
        raise Refused(f"it is damaged, or no such archive ({shown(str(error))})") from None
    except (NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise Refused(f"it cannot be read ({shown(str(error))})") from None
    return found


def shown(text: str, most: int = 80) -> str:
    """A stranger's text on one line, without what a terminal would obey, cut to so many characters."""
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text[: most + 1])
    return plain if len(text) <= most else f"{plain[:most]}…"


def name_of(text: str) -> PurePosixPath:
    """The name of an entry, as a path within the archive. Raises Refused where it leads out of it."""
    text = text.replace("\\", "/")
    if len(text) > NAME:
        raise Refused(f"a name in it has {len(text):,} characters")
    name = PurePosixPath(text)
    if name.is_absolute() or ".." in name.parts or (len(text) > 1 and text[1] == ":"):
        raise Refused(f"a file in it leads outside: {shown(text)}")
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise Refused(f"a name in it has control characters: {shown(text)}")
    return name


def _zip(path: Path, wanted: Wanted) -> Iterator[tuple[PurePosixPath, bytes]]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _bounded(len(entries), sum(entry.file_size for entry in entries))
        for entry in entries:
            name = name_of(entry.filename)
            if (entry.external_attr >> 28) == 0xA:
                raise Refused(f"it holds a link: {shown(entry.filename)}")
            if entry.file_size > max(EVEN, RATIO * entry.compress_size):
                raise Refused(f"{shown(entry.filename)} unpacks to {entry.file_size:,} bytes")
            if entry.is_dir() or not wanted(name):
                continue
            if entry.flag_bits & 1:
                raise Refused(f"it is encrypted: {shown(entry.filename)}")
            with archive.open(entry) as file:
                yield name, read(file, name)


def _tar(path: Path, wanted: Wanted) -> Iterator[tuple[PurePosixPath, bytes]]:
    with open(path, "rb") as raw:
        packed = path.name.lower().endswith("gz")
        stream = _Counted(gzip.GzipFile(fileobj=raw) if packed else raw)
        with tarfile.open(fileobj=cast(Any, stream), mode="r|") as archive:
            for number, entry in enumerate(archive):
                _bounded(number, entry.size)
                name = name_of(entry.name)
                if entry.issym() or entry.islnk():
                    raise Refused(f"it holds a link: {shown(entry.name)}")
                if not entry.isfile() and not entry.isdir():
                    raise Refused(f"it holds what is no file: {shown(entry.name)}")
                if entry.isfile() and wanted(name) and (file := archive.extractfile(entry)) is not None:
                    yield name, read(file, name)


def _bounded(entries: int, size: int) -> None:
    if entries > ENTRIES:
        raise Refused(f"it holds more than {ENTRIES:,} files")
    if size > UNPACKED:
        raise Refused(f"it unpacks to {size:,} bytes, and {UNPACKED:,} is the most")


def read(file: IO[bytes], name: PurePosixPath | str) -> bytes:
    """What a file holds. Raises Refused where that is too much."""
    content = file.read(ONE + 1)
    if len(content) > ONE:
        raise Refused(f"{shown(str(name))} has more than {ONE:,} bytes")
    return content


class _Counted(io.RawIOBase):
    """A stream that gives no more than UNPACKED bytes."""

    def __init__(self, stream: Any):
        self.stream, self.given = stream, 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.stream.read(size)
        self.given += len(data)
        if self.given > UNPACKED:
            raise Refused(f"it unpacks to more than {UNPACKED:,} bytes")
        return data
