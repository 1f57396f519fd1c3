"""The session of a command: the root it works on, the catalog of its katas, the learner's progress. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..curriculum import stubs
from ..curriculum.catalog import Catalog, Hint, Kata, UnknownKata
from ..judge.verdict import Verdict
from ..system.console import count, warn
from ..system.root import find_root
from .progress import Progress

STATUS = {  # of a kata: its mark on the board, the words for it, its colour
    "solved": ("✓", "solved", "green"),
    "changed": ("~", "solved before, changed since", "yellow"),
    "broken": ("✗", "solved before, broken since", "red"),
    "started": ("…", "", "yellow"),
    "untouched": ("·", "", "dim"),
}
BLACK_BELT = "Black belt, optional"


class Hints(NamedTuple):
    """The hints that a learner has taken for a step, and how many are left."""

    step: int
    taken: list[Hint]
    left: int


class Session:
    """What a command works on. `warn` is how the learner is told of trouble; whoever draws a screen replaces it."""

    def __init__(self) -> None:
        self.root = find_root()
        self.catalog = Catalog(self.root)
        self.warn: Callable[[str], None] = warn
        self.progress = Progress.load(self.root, warn)

    def find(self, name: str) -> Kata:
        """The kata called `name`; ends the program with a usage error where there is none."""
        try:
            return self.catalog.find(name)
        except UnknownKata as error:
            warn(str(error))
            raise SystemExit(2) from None

    def relative(self, path: Path) -> str:
        """A path as one writes it from the root."""
        return path.relative_to(self.root).as_posix()

    def note(self, kata: Kata, verdict: Verdict) -> None:
        """Note and save what came of judging a kata."""
        self.progress.note(kata, verdict)
        self.save()

    def save(self) -> bool:
        """Write the progress; where that fails, say so and go on. Whether it was written."""
        try:
            self.progress.save()
        except OSError as error:
            self.warn(f"Your progress could not be written: {error}. The verdict stands.")
            return False
        return not self.progress.newer

    def take_hint(self, kata: Kata, step: int = 0) -> Hints:
        """Take one more hint for a step, on what fails there; without a step, for the one at which it stopped last."""
        stopped = self.progress.step(kata)
        step = step or stopped or 1
        topic = kata.topic(step, self.progress.entry(kata).get("property", "") if step == stopped else "")
        hints = kata.hints(step, topic)
        taken = self.progress.take_hint(kata, f"{step} {topic}".strip(), len(hints))
        self.save()
        return Hints(step, hints[:taken], len(hints) - taken)

    def reset(self, kata: Kata) -> Path | None:
        """Write the stub anew; returns the backup of the file that stood there, if one was made. Raises OSError."""
        kept = None
        if kata.file.exists() and stubs.read(kata.file) != stubs.stub_of(kata):
            kept = stubs.back_up(kata)
        stubs.write(kata)
        return kept

    def standing(self, kata: Kata) -> str:
        """How far a kata is, in words; nothing for one that is not started."""
        status = self.progress.status(kata)
        if status != "started":
            return STATUS[status][1]
        step = self.progress.step(kata)
        at = [f"step {step} of {len(kata.steps)}"] if step else []
        return ", ".join([*at, count(self.progress.attempts(kata), "attempt")])

    def solved(self, katas: list[Kata]) -> str:
        """How many of these are solved: 3 of 15."""
        return f"{sum(self.progress.status(kata) == 'solved' for kata in katas)} of {len(katas)}"

    @property
    def next(self) -> Kata | None:
        """The first kata that is not solved; an optional one never."""
        return self._unsolved(self.catalog.required)

    @property
    def suggested(self) -> Kata | None:
        """What to go on with: the next kata or, once there is none, the first optional one that is not solved."""
        return self.next or self._unsolved(self.catalog.optional)

    def after(self, kata: Kata) -> Kata | None:
        """What to go on with after a kata: the next one of its kind that is not solved, else what is suggested."""
        later = [other for other in self.catalog.katas if other.number > kata.number]
        return self._unsolved([other for other in later if other.optional == kata.optional]) or self.suggested

    def _unsolved(self, katas: list[Kata]) -> Kata | None:
        return next((kata for kata in katas if self.progress.status(kata) != "solved"), None)
