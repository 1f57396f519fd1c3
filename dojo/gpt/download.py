"""Fetch the files of `data/sources.toml`: checked, resumed where cut off, and never half under their final name.

A file is looked for in the target folder, then in the folder that DOJO_MIRROR names, then on the network. Whatever the
way, it gets its name only when its size and its SHA-256 are right. Nothing here prints: trouble is a `DataError`.
"""

from __future__ import annotations

import contextlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from ..system.command import command
from ..system.data_files import DOWNLOADS, DataError, Source, advice, content_of, mirrored
from ..system.files import write_whole

CHUNK = 64 * 1024  # bytes
TIMEOUT = 30  # seconds without a byte
BROKEN_OFF = (http.client.HTTPException, ConnectionError, TimeoutError)


def fetch(source: Source, root: Path = DOWNLOADS) -> Path:
    """Make sure that the file is in `root`, and return its path.

    A file that is there and right is left alone; a damaged one is replaced. What a cut-off download left in
    `<name>.part` is gone on with where the server can, and begun again where it cannot.

    Raises:
        DataError: no way led to the right file. Nothing new stands under its name then.
    """
    target = root / source.name
    content = content_of(target)
    if content is not None and source.fault(content) is None:
        return target
    try:
        root.mkdir(parents=True, exist_ok=True)
        content = mirrored(source)
        if content is None:
            content = _downloaded(source, root / f"{source.name}.part")
        write_whole(target, content)
        target.with_name(f"{source.name}.part").unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error}. Free the place, or make it writable.") from error
    return target


def _downloaded(source: Source, part: Path) -> bytes:
    """The file from the network, by way of `part`, which stays where a cut-off download can be gone on with."""
    resumed = _receive(source, part)
    content = part.read_bytes()
    if len(content) < source.size:
        raise DataError(
            f"{source.url} was cut off after {len(content):,} of {source.size:,} bytes. "
            f"Run `{command('data')}` again to go on from there. {advice()}"
        )
    if fault := source.fault(content):
        part.unlink()
        if resumed:  # the old beginning may be what is wrong
            return _downloaded(source, part)
        raise DataError(f"{source.url} sent another file: {fault}. It was thrown away. {advice()}")
    return content


def _receive(source: Source, part: Path) -> bool:
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
            raise DataError(f"{source.url} sends {int(total):,} bytes instead of {source.size:,}. {advice()}")
        have = have if goes_on else 0
        with part.open("ab" if goes_on else "wb") as file, contextlib.suppress(*BROKEN_OFF):
            while have <= source.size and (chunk := response.read1(CHUNK)):
                file.write(chunk)
                have += len(chunk)
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
        raise DataError(f"{source.url} answered {error.code} {error.reason}. {advice()}") from error
    except (urllib.error.URLError, *BROKEN_OFF) as error:
        raise DataError(f"{source.url} cannot be reached: {getattr(error, 'reason', error)}. {advice()}") from error
