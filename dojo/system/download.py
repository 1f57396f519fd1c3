"""Fetch the files of `data/sources.toml`: checked, resumed where cut off, and never half under their final name.

A file is looked for in the target folder, then in the folder that the environment variable DOJO_MIRROR names (a
stick handed round in a workshop), then on the network. Whatever the way, it gets its name only when its size and
its SHA-256 are right. Nothing here prints: progress goes to a callback, trouble into a `DataError`.
"""

import contextlib
import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

DATA = Path(__file__).resolve().parents[2] / "data"
DOWNLOADS = DATA / "downloads"
MIRROR = "DOJO_MIRROR"
CHUNK = 64 * 1024  # bytes
TIMEOUT = 30  # seconds without a byte
ADVICE = (
    f"Run `make data` with a network, or `{MIRROR}=dir make data` where dir holds a copy of the file. "
    "Until then the embedded corpus serves."
)

BROKEN_OFF = (http.client.HTTPException, ConnectionError, TimeoutError)

Progress = Callable[[int, int], None]  # called with the bytes at hand and the bytes of the whole file


class DataError(Exception):
    """A data file cannot be had. The message says why, and what to do."""


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
    content = _content(root / source.name)
    if content is None:
        content = _mirrored(source)
    elif fault := source.fault(content):
        raise DataError(f"{root / source.name} is damaged: {fault}. {ADVICE}")
    if content is None:
        raise DataError(f"{source.name} is not here yet. {ADVICE}")
    return content


def fetch(source: Source, root: Path = DOWNLOADS, progress: Progress | None = None) -> Path:
    """Make sure that the file is in `root`, and return its path.

    A file that is there and right is left alone; a damaged one is replaced. What a cut-off download left in
    `<name>.part` is gone on with where the server can, and begun again where it cannot.

    Raises:
        DataError: no way led to the right file. Nothing new stands under its name then.
    """
    target = root / source.name
    content = _content(target)
    if content is not None and source.fault(content) is None:
        return target
    try:
        root.mkdir(parents=True, exist_ok=True)
        content = _mirrored(source)
        if content is None:
            content = _downloaded(source, root / f"{source.name}.part", progress or (lambda at_hand, size: None))
        elif progress:
            progress(source.size, source.size)
        _put(content, target)
        target.with_name(f"{source.name}.part").unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error}. Free the place, or make it writable.") from error
    return target


def _content(path: Path) -> bytes | None:
    """The bytes of a file, None where there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}. Move it away, then run `make data`.") from error


def _mirrored(source: Source) -> bytes | None:
    """The file from the mirror, None where no mirror is named or the mirror lacks it."""
    if not (folder := os.environ.get(MIRROR)):
        return None
    if not Path(folder).is_dir():
        raise DataError(f"{MIRROR}={folder} is not a folder. Name the folder that holds {source.name}, or unset it.")
    content = _content(Path(folder) / source.name)
    if content is not None and (fault := source.fault(content)):
        raise DataError(
            f"{Path(folder) / source.name} is not the file: {fault}. Put a good copy there, or unset {MIRROR}."
        )
    return content


def _downloaded(source: Source, part: Path, progress: Progress) -> bytes:
    """The file from the network, by way of `part`, which stays where a cut-off download can be gone on with."""
    resumed = _receive(source, part, progress)
    content = part.read_bytes()
    if len(content) < source.size:
        raise DataError(
            f"{source.url} was cut off after {len(content):,} of {source.size:,} bytes. "
            f"Run `make data` again to go on from there. {ADVICE}"
        )
    if fault := source.fault(content):
        part.unlink()
        if resumed:  # the old beginning may be what is wrong
            return _downloaded(source, part, progress)
        raise DataError(f"{source.url} sent another file: {fault}. It was thrown away. {ADVICE}")
    return content


def _receive(source: Source, part: Path, progress: Progress) -> bool:
    """Bring `part` as near to the file's size as the network lets; whether some of it was there before."""
    have = part.stat().st_size if part.exists() else 0
    if have >= source.size:
        return True
    with _answer(source, have) as response:
        content_range = response.headers.get("Content-Range", "")
        goes_on = response.status == 206 and content_range.startswith(f"bytes {have}-")
        total = content_range.rpartition("/")[2] if goes_on else response.headers.get("Content-Length", "")
        if total.isdigit() and int(total) != source.size:
            part.unlink(missing_ok=True)
            raise DataError(f"{source.url} sends {int(total):,} bytes instead of {source.size:,}. {ADVICE}")
        have = have if goes_on else 0
        with part.open("ab" if goes_on else "wb") as file, contextlib.suppress(*BROKEN_OFF):
            while have <= source.size and (chunk := response.read1(CHUNK)):
                file.write(chunk)
                have += len(chunk)
                progress(min(have, source.size), source.size)
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
        raise DataError(f"{source.url} answered {error.code} {error.reason}. {ADVICE}") from error
    except (urllib.error.URLError, *BROKEN_OFF) as error:
        raise DataError(f"{source.url} cannot be reached: {getattr(error, 'reason', error)}. {ADVICE}") from error


def _put(content: bytes, target: Path) -> None:
    """Write a file in one step: readers see the old one or the new one, never a half, whatever happens here."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the name and not the content
        os.chmod(temporary, 0o644)  # a temporary file is its owner's alone; data is everybody's
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
