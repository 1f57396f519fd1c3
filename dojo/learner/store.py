"""The file in which progress stands: read and checked, written whole or not at all, merged with another. No torch here.

It holds, for each kata by its slug, a dictionary of

- `attempts`: how many, by the place (the clone) where they were made, so that a record merged twice counts once;
- `at`, `last`, `judged`: the time of the last attempt, its verdict, and the hash of the file that was judged;
- `step`, `steps`: the step it stopped at, and the status of each step;
- `property`, `tries`: the claim that fails, and how many different files in a row failed it;
- `passed`, `solved_at`: the hashes of the files that passed, each with its time, and the latest of these times;
- `hints`: how many were taken, by step.

Times are in UTC, so that they sort as text.
"""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import datetime
from pathlib import Path
from typing import Any

from ..system.files import timestamp, write_whole

VERSION = 2
Katas = dict[str, dict[str, Any]]


class NewerRecord(Exception):
    """The record was written by a newer version of this program, which may mean other things by it."""


def read(path: Path) -> Katas:
    """The katas of a record. Raises OSError, NewerRecord, and ValueError for one that is damaged."""
    content = path.read_bytes()
    try:
        data = json.loads(content)
        version = data.get("version", 1)
        if isinstance(version, int) and version > VERSION:
            raise NewerRecord(f"it is of version {version}, and this program knows versions up to {VERSION}")
        katas = data["katas"]
        if version == 1:
            katas = {slug: _from_version_1(entry, place(path)) for slug, entry in katas.items()}
        if not all(map(_sound, katas.values())):
            raise ValueError("its form is unknown")
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("its form is unknown") from None
    return katas


def write(path: Path, katas: Katas) -> None:
    """Write a record. Raises OSError."""
    write_whole(path, json.dumps({"version": VERSION, "katas": katas}, indent=2, ensure_ascii=False) + "\n")


def merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two records say of a kata, as one. Nothing is counted twice, however often and whichever way they meet."""
    later = max((one, other), key=lambda entry: entry.get("at", ""))
    merged = {**one, **other, **later}
    for name in ("attempts", "hints", "passed"):
        parts = [entry.get(name, {}) for entry in (one, other)]
        if any(parts):
            merged[name] = {key: max(part[key] for part in parts if key in part) for part in parts for key in part}
    if solved := max(entry.get("solved_at", "") for entry in (one, other)):
        merged["solved_at"] = solved
    if merged.get("last") != "passed":  # what passed once and fails now does not pass
        merged.get("passed", {}).pop(merged.get("judged"), None)
    return merged


def place(path: Path) -> str:
    """A short name for the clone in which a record stands; it tells nothing of the machine."""
    return hashlib.sha256(f"{platform.node()}:{path.resolve()}".encode()).hexdigest()[:8]


def _from_version_1(entry: dict[str, Any], here: str) -> dict[str, Any]:
    """Version 1 counted attempts in one number, and knew one file that passed."""
    entry = dict(entry)
    attempts, passed = entry.pop("attempts", 0), entry.pop("passed_with", None)
    when = timestamp(datetime.fromisoformat(entry.pop("passed_at", "2000-01-01")))
    entry["attempts"] = {here: attempts}
    if passed:
        entry |= {"passed": {passed: when}, "solved_at": when}
    return entry


def _sound(entry: dict[str, Any]) -> bool:
    """Whether a kata's record is of the form that is described above."""
    attempts, passed, hints, steps = (entry.get(name, {}) for name in ("attempts", "passed", "hints", "steps"))
    counts = [*attempts.values(), *hints.values(), entry.get("step") or 0, entry.get("tries", 0)]
    times = [entry[name] for name in ("at", "solved_at") if name in entry] + list(passed.values())
    words = [entry.get("last") or "", entry.get("property", ""), entry.get("judged") or "", *steps.values()]
    for time in times:
        datetime.fromisoformat(time)
    return all(isinstance(count, int) for count in counts) and all(isinstance(word, str) for word in words)
