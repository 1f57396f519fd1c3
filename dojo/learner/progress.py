"""What a learner has solved and what they are at, kept in `.dojo/progress.json`. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from ..curriculum.catalog import Catalog, Kata
from ..judge.verdict import Verdict
from ..system.command import command
from ..system.files import content_hash, locked, timestamp
from . import store
from .store import KataProgress, Katas, NewerRecord

WRONG = ("failed", "error", "refused")  # verdicts on something that was written
NEWER = "Your progress file is left alone: {}. Nothing is noted until you have that version: {}"
Change = Callable[[KataProgress], object]


@dataclass
class Progress:
    """The record of `.dojo/progress.json`. What is noted shows at once; `save` writes it."""

    path: Path
    katas: Katas = field(default_factory=dict)
    newer: bool = False  # the file is of a newer version, and is left alone
    unsaved: list[tuple[str, Change]] = field(default_factory=list)  # by slug

    @classmethod
    def load(cls, root: Path, warn: Callable[[str], None] = lambda text: None) -> Progress:
        """Read the record; a damaged one is set aside, and `warn` is told where."""
        path = root / ".dojo" / "progress.json"
        try:
            return cls(path, store.read(path))
        except FileNotFoundError:
            return cls(path)
        except NewerRecord as error:
            warn(NEWER.format(error, command("update")))
            return cls(path, newer=True)
        except (OSError, ValueError):
            pass
        try:
            with locked(path.parent):
                return cls(path, _read_or_set_aside(path, warn) or {})
        except OSError as error:
            warn(f"The progress file cannot be read ({error}). Your code is untouched.")
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
            store.write(self.path, katas)
        self.katas, self.unsaved = katas, []

    def note(self, kata: Kata, verdict: Verdict) -> None:
        """Note what came of an attempt on the file of a kata."""
        judged = verdict.fingerprint or content_hash(kata.file)
        clone, now = store.clone_name(self.path), timestamp()
        self._change(kata.slug, lambda entry: _note(entry, verdict, judged, clone, now))

    def take_hint(self, kata: Kata, topic: str, most: int) -> int:
        """Note one hint more on a step or a topic of it, and return how many of its `most` that makes."""

        def change(entry: KataProgress) -> None:
            taken = entry.setdefault("hints", {})
            taken[topic] = min(taken.get(topic, 0) + 1, most)

        self._change(kata.slug, change)
        return self.katas[kata.slug]["hints"][topic]

    def reopen(self, kata: Kata) -> None:
        """Note that the file of a kata has to pass again, as when its contract changed."""
        now = content_hash(kata.file) or ""
        self._change(kata.slug, lambda entry: entry.get("passed", {}).pop(now, None))

    def take_in(self, katas: Katas) -> None:
        """Merge the record of another machine into this one."""
        for slug, entry in katas.items():
            self._change(slug, partial(_merge, other=entry))

    def entry(self, kata: Kata) -> KataProgress:
        """What the record says of a kata."""
        return self.katas.get(kata.slug, {})

    def status(self, kata: Kata) -> str:
        """untouched, started, solved; of one solved before: changed (not judged since) or broken (it fails)."""
        entry, now = self.entry(kata), content_hash(kata.file)
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
        return self.entry(kata).get("step")

    def attempts(self, kata: Kata) -> int:
        """How often the kata was judged, untouched stubs not counted."""
        return sum(self.entry(kata).get("attempts", {}).values())

    def tries(self, kata: Kata) -> int:
        """How many times in a row the same claim failed, since the last pass; the same file again is no new try."""
        return self.entry(kata).get("tries", 0)

    def _change(self, slug: str, change: Change) -> None:
        change(self.katas.setdefault(slug, {}))
        self.unsaved.append((slug, change))


def _read_or_set_aside(path: Path, warn: Callable[[str], None] = lambda text: None) -> Katas | None:
    """The record, empty where there is none; None where it is damaged, and it is set aside then."""
    try:
        return store.read(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        aside = path.with_name(f"progress.damaged-{datetime.now():%Y%m%d-%H%M%S-%f}.json")
        path.replace(aside)
        where = f"{path.parent.name}/{aside.name}"
        warn(f"The progress file was damaged ({error}). It is set aside as {where}; your code is untouched.")
        return None


def _note(entry: KataProgress, verdict: Verdict, judged: str | None, clone: str, now: str) -> None:
    """Bring a kata's record up to date after an attempt, made `now` in `clone` on the file of the hash `judged`."""
    if verdict.verdict != "not_started" or verdict.step not in (None, 1):
        attempts = entry.setdefault("attempts", {})
        attempts[clone] = attempts.get(clone, 0) + 1
    failing = verdict.property
    if verdict.verdict == "passed":
        entry.setdefault("passed", {})[judged or ""] = entry["solved_at"] = now
        entry |= {"step": None, "property": "", "tries": 0}
    else:
        entry.get("passed", {}).pop(judged or "", None)  # as when the kata's tests became stricter
        entry["step"] = verdict.step or entry.get("step")  # a file that cannot be imported says nothing of the step
        if failing and failing != entry.get("property"):
            entry |= {"property": failing, "tries": 0}
        if failing and verdict.verdict in WRONG and (judged != entry.get("judged") or not entry.get("tries")):
            entry["tries"] = entry.get("tries", 0) + 1
    before = entry.get("steps", {})
    entry["steps"] = before | {str(step.step): _step(before.get(str(step.step)), step.status) for step in verdict.steps}
    entry |= {"at": now, "last": verdict.verdict, "judged": judged}


def _step(before: str | None, status: str) -> str:
    """A step's status after an attempt: one not reached stays as it was, one that passed before is broken."""
    if status == "not_reached":
        return before or status
    return "broken" if status == "failed" and before in ("passed", "broken") else status


def _merge(entry: KataProgress, other: KataProgress) -> None:
    entry.update(store.merge(entry, other))
