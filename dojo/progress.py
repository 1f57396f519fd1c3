"""What a learner has solved, in one readable file that is written whole or not at all. No torch here."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .catalog import Catalog, Kata

VERSION = 1


@dataclass
class Progress:
    """The record of `.dojo/progress.json`: for each kata its attempts, and the file with which it passed."""

    path: Path
    katas: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, root: Path, say: Callable[[str], None] = lambda text: None) -> Progress:
        """Read the record; a damaged one is set aside, and `say` is told where."""
        path = root / ".dojo" / "progress.json"
        try:
            data = json.loads(path.read_bytes())
            katas = data["katas"]
            if not isinstance(katas, dict) or not all(map(_sound, katas.values())):
                raise ValueError("its form is unknown")
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            aside = path.with_name(f"progress.damaged-{datetime.now():%Y%m%d-%H%M%S}.json")
            try:
                path.replace(aside)
                where = aside.relative_to(root).as_posix()
                say(f"The progress file was damaged ({error}). It is set aside as {where}; your code is untouched.")
            except OSError:
                say(f"The progress file cannot be read ({error}). Your code is untouched.")
            return cls(path)
        return cls(path, katas)

    def note(self, kata: Kata, verdict: str, step: int | None, judged: str | None = None) -> None:
        """Note an attempt, on the file with the fingerprint `judged`; `save` writes it."""
        entry = self.katas.setdefault(kata.slug, {"attempts": 0})
        entry["attempts"] = int(entry.get("attempts", 0)) + 1
        entry["last"] = verdict
        entry["step"] = step
        if verdict == "passed":
            entry["passed_with"] = judged or fingerprint(kata.file)
            entry["passed_at"] = datetime.now().isoformat(timespec="seconds")

    def save(self) -> None:
        """Write the record atomically. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": VERSION, "katas": self.katas}, indent=2, ensure_ascii=False) + "\n"
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix="progress-", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def tries(self, kata: Kata) -> int:
        return 0

    def status(self, kata: Kata) -> str:
        """solved, changed (solved before, and the file is another now), started or untouched."""
        entry = self.katas.get(kata.slug, {})
        if "passed_with" in entry:
            return "solved" if entry["passed_with"] == fingerprint(kata.file) else "changed"
        return (
            "started"
            if entry.get("step") not in (None, 1) or entry.get("last") in ("failed", "error", "refused")
            else "untouched"
        )

    def solved(self, catalog: Catalog) -> frozenset[str]:
        """The slugs of the katas that are solved with their file as it now stands."""
        return frozenset(kata.slug for kata in catalog.katas if self.status(kata) == "solved")


def _sound(entry: Any) -> bool:
    """Whether a kata's record is of the form that `note` and the hints write."""
    if not isinstance(entry, dict) or not isinstance(entry.get("hints", {}), dict):
        return False
    counts = [entry.get("attempts", 0), entry.get("step") or 0, *entry.get("hints", {}).values()]
    return all(isinstance(count, int) for count in counts)


def fingerprint(path: Path) -> str | None:
    """A hash of a file's content, or None where there is no file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
