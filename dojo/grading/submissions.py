"""What strangers hand in, read into memory: folders, archives, single files, clones, notebooks. No torch here.

Nothing here runs what it reads. What is wrong with a submission is said of it, and the others go on.
"""

from __future__ import annotations

import ast
import codecs
import contextlib
import json
import os
import re
import shlex
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from ..curriculum import notebooks, stubs
from ..curriculum.catalog import Catalog, Kata, UnknownKata
from ..system.files import content_of
from .archives import ENTRIES, ONE, Refused, files_in, is_archive, read, shown

MANIFEST = "submission.json"  # what `make submit` writes into the archive beside the katas
# Folders of a clone in which nothing is handed in.
PASSED_OVER = {"solutions", "tests", "dojo", "node_modules", "__pycache__", "__MACOSX", "build", "dist"}
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # with what such a file begins
KNOWN = 0.5  # of the names that a kata defines: a file that has as many is taken for it


@dataclass
class Submission:
    """What somebody handed in."""

    name: str  # of the file or folder
    files: dict[str, bytes] = field(default_factory=dict)  # the text of each kata, by slug
    spoiled: dict[str, str] = field(default_factory=dict)  # by slug, why a kata that was handed in is not judged
    notes: list[str] = field(default_factory=list)  # what else is to be said of it
    unreadable: str = ""  # why nothing of it could be read


def read_all(paths: list[Path], catalog: Catalog) -> list[Submission]:
    """The submissions that stand at these paths: each is one, or a folder that holds several."""
    submissions = [read_one(path, catalog) for each in paths for path in _within(each, catalog)]
    seen: dict[str, int] = {}
    for submission in submissions:
        submission.name = shown(submission.name) or "unnamed"
        seen[submission.name] = seen.get(submission.name, 0) + 1
        if seen[submission.name] > 1:
            submission.name += f" [{seen[submission.name]}]"
    return submissions


def read_one(path: Path, catalog: Catalog) -> Submission:
    """One submission; one that cannot be read says why."""
    submission = Submission(_stem(path.name))
    try:
        if path.is_dir():
            files = _files_below(path)
        elif is_archive(path.name):
            files = files_in(path, _wanted)
        else:
            with open(path, "rb") as file:
                files = {PurePosixPath(path.name): read(file, path.name)}
        _sort(submission, files, catalog)
    except Refused as error:
        submission.unreadable = f"{shown(path.name)}: {error}."
    except OSError as error:
        submission.unreadable = f"{shown(path.name)} cannot be read: {error.strerror or error}."
    return submission


def _within(path: Path, catalog: Catalog) -> list[Path]:
    """The submissions at a path: itself, or what is in it where it is a folder without katas of its own."""
    if not path.is_dir() or path.is_symlink() or (path / ".git").exists() or (path / MANIFEST).exists():
        return [path]
    folders = {"katas", "notebooks", *(kata.slug for kata in catalog.katas)}
    files = {name for kata in catalog.katas for name in (kata.file.name, f"{kata.code}.py", f"{kata.slug}.py")}
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    found = {entry.name for entry in entries}
    own = found & folders or found & files and not any(map(is_archive, found))  # beside archives a file is somebody's
    handed_in = [entry for entry in entries if entry.is_dir() or is_archive(entry.name) or _wanted_file(entry.name)]
    return [path] if own or not handed_in else handed_in


def _wanted_file(name: str) -> bool:
    return name.lower().endswith((".py", ".ipynb"))


def _wanted(name: PurePosixPath) -> bool:
    """Whether a file may be a kata, or says something of those that are."""
    if any(part in PASSED_OVER or part.startswith(".") for part in name.parts[:-1]) or name.name.startswith("."):
        return False
    return _wanted_file(name.name) or name.name == MANIFEST or is_archive(name.name)


def _files_below(folder: Path) -> dict[PurePosixPath, bytes]:
    """The wanted files of a folder. Raises Refused for a link among them, which could lead anywhere."""
    found: dict[PurePosixPath, bytes] = {}
    for where, folders, names in os.walk(folder):
        here = PurePosixPath(Path(where).relative_to(folder).as_posix())
        folders[:] = sorted(name for name in folders if _wanted(here / name / "x.py"))
        for name in sorted(names):
            path = Path(where, name)
            if not _wanted(here / name):
                continue
            if path.is_symlink() or not path.is_file():
                raise Refused(f"it holds a link, or what is no file: {shown(str(here / name))}")
            if len(found) >= ENTRIES:
                raise Refused(f"it holds more than {ENTRIES:,} files")
            with open(path, "rb") as file:
                found[here / name] = read(file, here / name)
    return found


def _sort(submission: Submission, files: Mapping[PurePosixPath, bytes], catalog: Catalog) -> None:
    """Find out which file is which kata."""
    found: dict[str, dict[PurePosixPath, bytes]] = {}
    for name, content in files.items():
        if name.name == MANIFEST:
            submission.notes += _altered(content, files)
        elif is_archive(name.name):
            submission.notes.append(f"{shown(str(name))} is an archive within it, which is not opened.")
        elif name.suffix.lower() == ".ipynb":
            for kata, text in _of_notebook(content, catalog, submission, name):
                found.setdefault(kata.slug, {})[name] = text.encode()
        elif (known := _kata_of(name, catalog)) or (known := _guessed(submission, name, content, catalog)):
            found.setdefault(known.slug, {})[name] = content
    for slug, candidates in found.items():
        _choose(submission, slug, candidates)
    if not found and not submission.unreadable:
        submission.unreadable = "There is no kata in it: a file is called as in the folder katas."


def _choose(submission: Submission, slug: str, candidates: Mapping[PurePosixPath, bytes]) -> None:
    """Of several files for one kata, the one in its folder; where that does not decide, none."""
    alike = {sha256(content).digest(): name for name, content in candidates.items()}
    written = {name: candidates[name] for name in alike.values() if not untouched(candidates[name])}
    at_home = [name for name in written if name.parts[-3:-1] == ("katas", slug)]
    if len(written or alike) == 1:
        submission.files[slug] = candidates[next(iter(written or alike.values()))]
    elif len(at_home) == 1:
        submission.files[slug] = candidates[at_home[0]]
    else:
        names = " and ".join(shown(str(name)) for name in sorted(written or candidates)[:3])
        submission.spoiled[slug] = f"There are two files for it: {names}. Hand in one."
    if submission.files.get(slug, b"").startswith(UTF_16):
        submission.files.pop(slug)
        submission.spoiled[slug] = "Its file is in UTF-16. Save it as UTF-8, and hand it in again."


def untouched(content: bytes) -> bool:
    """Whether a file is the stub as it was given out."""
    return stubs.untouched(content.decode("utf-8", "replace").replace("\r\n", "\n"))


def _altered(content: bytes, files: Mapping[PurePosixPath, bytes]) -> list[str]:
    """What the list of `make submit` says of files that are not as they were then."""
    try:
        hashes = json.loads(content)["files"]
        others = [
            name
            for name, text in files.items()
            if str(name) in hashes and sha256(text).hexdigest() != hashes[str(name)]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [f"Its {MANIFEST} is damaged."]
    return [f"Changed after `make submit`: {', '.join(shown(str(name)) for name in others)}."] if others else []


def _kata_of(name: PurePosixPath, catalog: Catalog) -> Kata | None:
    """The kata that a file is called after, or that its folder is."""
    for kata in catalog.katas:
        if name.parent.name == kata.slug and name.name == kata.file.name:
            return kata
    return _named(name.name, catalog)


def _named(name: str, catalog: Catalog) -> Kata | None:
    """The kata whose name, or code, is a file's or stands in it, beside who hands it in or which copy it is."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.rsplit(".", 1)[0].lower()).strip("_")
    with contextlib.suppress(UnknownKata):
        return catalog.find(plain)
    inside = [kata for kata in catalog.katas if any(f"_{each}_" in f"_{plain}_" for each in (kata.name, kata.code))]
    return max(inside, key=lambda kata: len(kata.name), default=None)


def _guessed(submission: Submission, name: PurePosixPath, content: bytes, catalog: Catalog) -> Kata | None:
    """The kata that a misnamed file is by what it defines, which is noted; none where it is none, or several."""
    names = _defined(content)
    shares = {
        kata: len(names & own) / len(own) for kata in catalog.katas if (own := _defined(content_of(kata.solution)))
    }
    likely = sorted(shares, key=lambda kata: shares[kata], reverse=True)[:2]
    if not likely or shares[likely[0]] < KNOWN or shares[likely[0]] == shares[likely[-1]]:
        return None
    submission.notes.append(f"{shown(str(name))} is taken for {likely[0].code}, by what it defines.")
    return likely[0]


def _defined(content: bytes) -> set[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(content[:ONE]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def _of_notebook(
    content: bytes, catalog: Catalog, submission: Submission, name: PurePosixPath
) -> Iterator[tuple[Kata, str]]:
    """The katas whose cells a notebook holds, each put together as `%%kata` does."""
    cells: dict[Kata, dict[int, str]] = {}
    whole: dict[Kata, str] = {}
    try:
        for source in _sources(json.loads(content)):
            magic, _, text = source.partition("\n")
            if not magic.startswith("%%kata"):
                continue
            kata, step = _asked(magic, catalog)
            if step is None:
                whole[kata] = text
            else:
                cells.setdefault(kata, {})[notebooks.piece_of(kata, step).steps[0]] = text
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, LookupError) as error:
        submission.notes.append(f"{shown(str(name))} is no notebook that can be read ({shown(str(error))}).")
    for kata, own in cells.items():
        whole.setdefault(kata, notebooks.joined(kata, own)[0])
    yield from whole.items()


def _sources(notebook: Any) -> Iterator[str]:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            yield "".join(cell["source"]).lstrip("\n")


def _asked(magic: str, catalog: Catalog) -> tuple[Kata, int | None]:
    """The kata and the step that a cell's first line names. Raises LookupError and ValueError."""
    words = shlex.split(magic)[1:]
    step = None
    if "--step" in words:
        at = words.index("--step")
        step = int(words[at + 1])
        del words[at : at + 2]
    return catalog.find(next(word for word in words if not word.startswith("-"))), step


def _stem(name: str) -> str:
    ending = next(
        (ending for ending in (".tar.gz", ".tgz", ".zip", ".tar", ".py", ".ipynb") if name.endswith(ending)), ""
    )
    return name.removesuffix(ending)
