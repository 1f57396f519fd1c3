"""What `make submit` makes: one file with the katas that somebody has begun, their record and the versions. No torch.

The same work gives the same bytes, whenever and wherever it is handed in, and nothing else of the disk is in it.
"""

from __future__ import annotations

import io
import json
import platform
import zipfile
from hashlib import sha256
from importlib import metadata

from .. import __version__
from ..curriculum import stubs
from ..learner.session import Session
from .submissions import MANIFEST

VERSION = 1
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the time that all files in a zip are given
RECORDED = ("attempts", "last", "step", "steps", "solved_at", "hints")  # of the record of a kata


def archive(session: Session) -> bytes:
    """The archive of what there is to hand in; one without katas has nothing but the list of what is in it."""
    files: dict[str, bytes] = {}
    for kata in session.catalog.katas:
        text = stubs.read(kata.file)
        if text is not None and not stubs.untouched(text):
            files[f"katas/{kata.slug}/{kata.file.name}"] = kata.file.read_bytes()
    hashes = {name: sha256(content).hexdigest() for name, content in files.items()}
    about = {
        "version": VERSION,
        "dojo": __version__,
        "python": platform.python_version(),
        "torch": metadata.version("torch").split("+")[0],
        "files": hashes,
        "hash": sha256("".join(f"{name} {digest}\n" for name, digest in hashes.items()).encode()).hexdigest(),
        "record": {slug: _recorded(entry) for slug, entry in sorted(session.progress.katas.items())},
    }
    files[MANIFEST] = (json.dumps(about, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    return zipped(files)


def zipped(files: dict[str, bytes]) -> bytes:
    """Files as a zip, in which nothing is of the moment or the machine."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EARLIEST)
            mode = 0o100755 if files[name].startswith(b"#!") else 0o100644
            entry.create_system, entry.external_attr = 3, mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, files[name], compresslevel=6)
    return out.getvalue()


def _recorded(entry: object) -> dict[str, object]:
    return {name: value for name, value in dict(entry).items() if name in RECORDED}  # type: ignore[call-overload]
