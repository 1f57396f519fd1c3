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


class DataError(Exception):
    """A data file cannot be had. The message says why, and what to do."""


def advice() -> str:
    """How the files are had, and what serves meanwhile."""
    copy = f"with {MIRROR} set to a folder that holds a copy of the file"
    if door() == "make":
        copy = f"`{MIRROR}=dir make data` where dir holds a copy of the file"
    return f"Run `{command('data')}` with a network, or {copy}. Until then the embedded corpus serves."


@dataclass(frozen=True)
class Source:
    """Where one file comes from, and how to know that it is right."""

    name: str
    url: str
    size: int  # bytes
    sha256: str  # hexadecimal

    def fault(self, content: bytes) -> str | None:
        """What is wrong with `content`, in words; None where it is the file."""
        if len(content) != self.size:
            return f"it has {len(content):,} bytes instead of {self.size:,}"
        got = hashlib.sha256(content).hexdigest()
        return None if got == self.sha256 else f"its SHA-256 is {got[:12]}… instead of {self.sha256[:12]}…"


def sources(path: Path = DATA / "sources.toml") -> dict[str, Source]:
    """The files that can be fetched, by name."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: Source(name, table["url"], table["size"], table["sha256"]) for name, table in tables.items()}


def read(source: Source, root: Path = DOWNLOADS) -> bytes:
    """The content of a file that is at hand, in `root` or in the mirror; asks no network.

    Raises:
        DataError: the file is in neither, or is not what it should be.
    """
    content = content_of(root / source.name)
    if content is None:
        content = mirrored(source)
    elif fault := source.fault(content):
        raise DataError(f"{root / source.name} is damaged: {fault}. {advice()}")
    if content is None:
        raise DataError(f"{source.name} is not here yet. {advice()}")
    return content


def content_of(path: Path) -> bytes | None:
    """The bytes of a file, None where there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}. Move it away, then run `{command('data')}`.") from error


def mirrored(source: Source) -> bytes | None:
    """The file from the mirror, None where no mirror is named or the mirror lacks it."""
    if not (folder := os.environ.get(MIRROR)):
        return None
    if not Path(folder).is_dir():
        raise DataError(f"{MIRROR}={folder} is not a folder. Name the folder that holds {source.name}, or unset it.")
    content = content_of(Path(folder) / source.name)
    if content is not None and (fault := source.fault(content)):
        raise DataError(
            f"{Path(folder) / source.name} is not the file: {fault}. Put a good copy there, or unset {MIRROR}."
        )
    return content
