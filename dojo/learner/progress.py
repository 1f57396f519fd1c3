"""What a learner has solved and what they are at, kept in `.dojo/progress.json`. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..curriculum.catalog import Catalog, Kata
from ..system.files import content_hash, locked, timestamp
from . import store as record
from .store import Katas, NewerRecord

WRONG = ("failed", "error", "refused")  # verdicts on something that was written
NEWER = "Your progress file is left alone: {}. Nothing is noted until you have that version: make update"


@dataclass
class Progress:
    """The record of `.dojo/progress.json`. What is noted shows at once; `save` writes it."""

    path: Path
    katas: Katas = field(default_factory=dict)
    newer: bool = False  # the file is of a newer version, and is left alone
    unsaved: list[tuple[str, Callable[[dict[str, Any]], None]]] = field(default_factory=list)

    @classmethod
    def load(cls, root: Path, say: Callable[[str], None] = lambda text: None) -> Progress:
        """Read the record; a damaged one is set aside, and `say` is told where."""
        path = root / ".dojo" / "progress.json"
        try:
            return cls(path, record.read(path))
        except FileNotFoundError:
            return cls(path)
        except NewerRecord as error:
            say(NEWER.format(error))
            return cls(path, newer=True)
        except (OSError, ValueError):
            pass
        try:
            with locked(path.parent):
                return cls(path, _read_or_set_aside(path, say) or {})
        except OSError as error:
            say(f"The progress file cannot be read ({error}). Your code is untouched.")
            return cls(path)

    def save(self) -> None:
        """Write what was noted into the record as it stands there by now. Raises OSError."""
        if self.newer:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.parent):
            try:
                katas = _read_or_set_aside(self.path)
            except NewerRecord:
                self.newer = True
                return
            if katas is None:
                katas = self.katas
            else:
                for slug, change in self.unsaved:
                    change(katas.setdefault(slug, {}))
            record.write(self.path, katas)
        self.katas, self.unsaved = katas, []

    def note(
        self,
        kata: Kata,
        verdict: str,
        step: int | None,
        judged: str | None = None,
        failing: str = "",
        steps: Iterable[dict[str, Any]] = (),
    ) -> None:
        """Note an attempt on the file of the fingerprint `judged`: the property that fails, and every step's status."""
        judged = judged or content_hash(kata.file)
        statuses = {str(one["step"]): one["status"] for one in steps}
        here, now = record.place(self.path), timestamp()
        self._change(kata.slug, lambda entry: _note(entry, here, now, verdict, step, judged, failing, statuses))

    def hint(self, kata: Kata, step: int, most: int) -> int:
        """Note one hint more for a step, and return how many of its `most` that makes."""

        def change(entry: dict[str, Any]) -> None:
            taken = entry.setdefault("hints", {})
            taken[str(step)] = min(taken.get(str(step), 0) + 1, most)

        self._change(kata.slug, change)
        return self.katas[kata.slug]["hints"][str(step)]

    def reopen(self, kata: Kata) -> None:
        """Note that the file of a kata has to pass again, as when its contract changed."""
        now = content_hash(kata.file)
        self._change(kata.slug, lambda entry: entry.get("passed", {}).pop(now, None))

    def take_in(self, katas: Katas) -> None:
        """Merge the record of another machine into this one."""
        for slug, entry in katas.items():
            self._change(slug, partial(_merge, other=entry))

    def status(self, kata: Kata) -> str:
        """untouched, started, solved; of one solved before: changed (not judged since) or broken (it fails)."""
        entry, now = self.katas.get(kata.slug, {}), content_hash(kata.file)
        if now in entry.get("passed", {}):
            return "solved"
        wrong = entry.get("last") in WRONG
        if "solved_at" in entry:
            return "broken" if wrong and now == entry.get("judged") else "changed"
        return "started" if wrong or entry.get("step") not in (None, 1) else "untouched"

    def solved(self, catalog: Catalog) -> frozenset[str]:
        """The slugs of the katas that are solved with their file as it now stands."""
        return frozenset(kata.slug for kata in catalog.katas if self.status(kata) == "solved")

    def step(self, kata: Kata) -> int | None:
        """The step at which the last attempt stopped, None where there was none or it passed."""
        return self.katas.get(kata.slug, {}).get("step")

    def attempts(self, kata: Kata) -> int:
        """How often the kata was judged, untouched stubs not counted."""
        return sum(self.katas.get(kata.slug, {}).get("attempts", {}).values())

    def tries(self, kata: Kata) -> int:
        """How many times in a row the same claim failed, since the last pass; the same file again is no new try."""
        return self.katas.get(kata.slug, {}).get("tries", 0)

    def _change(self, slug: str, change: Callable[[dict[str, Any]], None]) -> None:
        change(self.katas.setdefault(slug, {}))
        self.unsaved.append((slug, change))


def _read_or_set_aside(path: Path, say: Callable[[str], None] = lambda text: None) -> Katas | None:
    """The record, empty where there is none; None where it is damaged, and it is set aside then."""
    try:
        return record.read(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        aside = path.with_name(f"progress.damaged-{datetime.now():%Y%m%d-%H%M%S-%f}.json")
        path.replace(aside)
        where = f"{path.parent.name}/{aside.name}"
        say(f"The progress file was damaged ({error}). It is set aside as {where}; your code is untouched.")
        return None


def _note(
    entry: dict[str, Any],
    here: str,
    now: str,
    verdict: str,
    step: int | None,
    judged: str | None,
    failing: str,
    steps: dict[str, str],
) -> None:
    """Bring a kata's record up to date after an attempt."""
    if verdict != "not_started" or step not in (None, 1):
        attempts = entry.setdefault("attempts", {})
        attempts[here] = attempts.get(here, 0) + 1
    if verdict == "passed":
        entry.setdefault("passed", {})[judged] = entry["solved_at"] = now
        entry |= {"step": None, "property": "", "tries": 0}
    else:
        entry.get("passed", {}).pop(judged, None)  # as when the kata's tests became stricter
        entry["step"] = step or entry.get("step")  # a file that cannot be imported says nothing of the step
        if failing and failing != entry.get("property"):
            entry |= {"property": failing, "tries": 0}
        if failing and verdict in WRONG and (judged != entry.get("judged") or not entry.get("tries")):
            entry["tries"] = entry.get("tries", 0) + 1
    before = entry.get("steps", {})
    entry["steps"] = before | {name: _step(before.get(name), status) for name, status in steps.items()}
    entry |= {"at": now, "last": verdict, "judged": judged}


def _step(before: str | None, status: str) -> str:
    """A step's status after an attempt: one not reached stays as it was, one that passed before is broken."""
    if status == "not_reached":
        return before or status
    return "broken" if status == "failed" and before in ("passed", "broken") else status


def _merge(entry: dict[str, Any], other: dict[str, Any]) -> None:
    merged = record.merge(entry, other)
    entry.clear()
    entry.update(merged)
