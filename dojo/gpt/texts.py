"""Texts of one's own: files and folders as they were given, read piece by piece, in UTF-8. No torch here."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

PIECE = 4 * 1024 * 1024  # bytes that are read at once
OnBytes = Callable[[int], object]  # is called with the number of bytes that were read


class TextError(Exception):
    """A text that cannot be trained on; the message names it and says what to do."""


def files_of(given: str) -> list[Path]:
    """The files of a text: paths with the separator of PATH between them; a folder gives all it holds, by name.

    Hidden files of a folder are left out. Raises TextError where there is none.
    """
    files: list[Path] = []
    for path in map(Path, filter(None, given.split(os.pathsep))):
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file())
            files += [each for each in inside if not any(part[0] == "." for part in each.relative_to(path).parts)]
        elif path.is_file():
            files.append(path)
        else:
            raise TextError(
                f"There is no text {path}. TEXT is a file or a folder, or several with {os.pathsep} between."
            )
    if not files:
        raise TextError(f"There is no file in {given}.")
    return files


def size_of(files: Iterable[Path]) -> int:
    """How many bytes the files have together, on the disk."""
    return sum(path.stat().st_size for path in files)


def digest(files: Iterable[Path], *more: str) -> str:
    """The SHA-256 of what the files hold, and of further words, in hexadecimal digits. Raises TextError."""
    sha = hashlib.sha256()
    for path in files:
        with _reading(path), path.open("rb") as file:
            while block := file.read(PIECE):
                sha.update(block)
        sha.update(b"\0" + path.suffix.encode())
    for word in more:
        sha.update(b"\0" + word.encode("utf-8", "surrogatepass"))
    return sha.hexdigest()


def pieces(files: Iterable[Path], on_bytes: OnBytes = lambda count: None, size: int = PIECE) -> Iterator[str]:
    """The text of the files, one after the other, with a line between those that do not end with it.

    Raises TextError for a file that is not UTF-8, with the place, or that cannot be read.
    """
    ending = "\n"
    for path in files:
        if ending != "\n":
            yield "\n"
        for text in _pieces_of(path, on_bytes, size):
            yield text
            ending = text[-1]


def _pieces_of(path: Path, on_bytes: OnBytes, size: int) -> Iterator[str]:
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    at, rest = 0, b""  # the place of `rest`, the bytes of a character whose other bytes are still to come
    with _reading(path), opener(path, "rb") as file:
        while True:
            block = file.read(size)
            if at == 0 and b"\0" in block[:8192]:
                raise TextError(f"{path} is no text: it holds zero bytes. TEXT is plain text in UTF-8.")
            rest += block
            try:
                text, used = codecs.utf_8_decode(rest, "strict", not block)
            except UnicodeDecodeError as error:
                place, byte = at + error.start, rest[error.start]
                problem = (
                    f"{path} is not UTF-8: byte 0x{byte:02x} at place {place:,}. Save it as UTF-8, or leave it out."
                )
                raise TextError(problem) from None
            text = text.removeprefix("\ufeff") if at == 0 else text  # a mark of the order of bytes is no text
            at, rest = at + used, rest[used:]
            on_bytes(len(block))
            if text:
                yield text
            if not block:
                return


class _reading:
    """Whatever is raised while a file is read becomes a TextError that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, EOFError, zlib.error)):
            reason = getattr(error, "strerror", None) or str(error)
            raise TextError(f"{self.path} cannot be read: {reason}.") from None
