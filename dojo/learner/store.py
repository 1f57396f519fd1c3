"""The file in which progress stands: read and checked, written whole or not at all, merged with another. No torch here.

Times are in UTC, so that they sort as text.
"""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from ..system.files import write_whole

VERSION = 2
T = TypeVar("T", int, str)


class KataProgress(TypedDict, total=False):
    """What is known of a kata; a key that is not there stands for nothing as yet."""

    attempts: dict[str, int]  # how many, by the clone in which they were made: a record merged twice counts once
    at: str  # the time of the last attempt
    last: str  # its verdict
    judged: str | None  # the hash of the file that was judged
    step: int | None  # at which it stopped
    steps: dict[str, str]  # the status of each step, by its number
    property: str  # the claim that fails
    tries: int  # different files in a row that failed it
    passed: dict[str, str]  # the hashes of the files that passed, each with its time
    solved_at: str  # the latest of these times
    hints: dict[str, int]  # how many were taken, by step, or by step and topic: "2 decode"


Katas = dict[str, KataProgress]  # by slug


class NewerRecord(Exception):
    """The record was written by a newer version of this program, which may mean other things by it."""


def read(path: Path) -> Katas:
    """The katas of a record. Raises OSError, NewerRecord, and ValueError for one that is damaged."""
    content = path.read_bytes()
    try:
        data = json.loads(content)
        version = data["version"]
        if isinstance(version, int) and version > VERSION:
            raise NewerRecord(f"it is of version {version}, and this program knows versions up to {VERSION}")
        if version != VERSION or not all(map(_is_sound, data["katas"].values())):
            raise ValueError("its form is unknown")
        katas: Katas = data["katas"]
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("its form is unknown") from None
    return katas


def write(path: Path, katas: Katas) -> None:
    """Write a record. Raises OSError."""
    write_whole(path, json.dumps({"version": VERSION, "katas": katas}, indent=2, ensure_ascii=False) + "\n")


def merge(first: KataProgress, second: KataProgress) -> KataProgress:
    """What two records say of a kata, as one. Nothing is counted twice, however often and whichever way they meet."""
    later = max((first, second), key=lambda entry: entry.get("at", ""))
    merged: KataProgress = {**first, **second, **later}
    if attempts := _largest(first.get("attempts", {}), second.get("attempts", {})):
        merged["attempts"] = attempts
    if hints := _largest(first.get("hints", {}), second.get("hints", {})):
        merged["hints"] = hints
    if passed := _largest(first.get("passed", {}), second.get("passed", {})):
        merged["passed"] = passed
    if solved := max(first.get("solved_at", ""), second.get("solved_at", "")):
        merged["solved_at"] = solved
    if merged.get("last") != "passed":  # what passed once and fails now does not pass
        merged.get("passed", {}).pop(merged.get("judged") or "", None)
    return merged


def clone_name(path: Path) -> str:
    """A short name for the clone in which a record stands; it tells nothing of the machine."""
    return hashlib.sha256(f"{platform.node()}:{path.resolve()}".encode()).hexdigest()[:8]


def _largest(first: dict[str, T], second: dict[str, T]) -> dict[str, T]:
    return {key: max(part[key] for part in (first, second) if key in part) for key in first | second}


def _is_sound(entry: dict[str, Any]) -> bool:
    """Whether a kata's record is of the form of KataProgress."""
    attempts, passed, hints, steps = (entry.get(name, {}) for name in ("attempts", "passed", "hints", "steps"))
    counts = [*attempts.values(), *hints.values(), entry.get("step") or 0, entry.get("tries", 0)]
    times = [entry[name] for name in ("at", "solved_at") if name in entry] + list(passed.values())
    words = [entry.get("last") or "", entry.get("property", ""), entry.get("judged") or "", *steps.values()]
    for time in times:
        datetime.fromisoformat(time)
    return all(isinstance(count, int) for count in counts) and all(isinstance(word, str) for word in words)
