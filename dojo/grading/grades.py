"""What a submission gets: points by step, and what was wrong, in a learner's words. No torch here."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..curriculum.catalog import Kata
from ..judge.verdict import Status, Verdict, VerdictKind
from ..learner.verdict_text import render

# Of a kata: a verdict's kind, or: nothing was handed in; what was cannot be judged.
Standing = VerdictKind | Literal["missing", "spoiled"]
UNJUDGED = ("missing", "spoiled", "not_started")  # those of which no verdict speaks
WORDS: dict[str, str] = {
    "passed": "passed",
    "failed": "failed",
    "not_started": "not started",
    "error": "does not run",
    "refused": "refused",
    "missing": "missing",
    "spoiled": "not judged",
}


@dataclass(frozen=True)
class StepGrade:
    """What a step of a kata gets."""

    step: int
    title: str
    points: int
    most: int
    status: Status


@dataclass(frozen=True)
class KataGrade:
    """What a kata gets."""

    kata: str  # its code
    title: str
    standing: Standing
    steps: list[StepGrade]
    feedback: str = ""  # what its author is to read
    mistakes: list[str] = field(default_factory=list)  # the names of those that it looks like

    @property
    def points(self) -> int:
        return sum(step.points for step in self.steps)

    @property
    def most(self) -> int:
        return sum(step.most for step in self.steps)


@dataclass(frozen=True)
class Grade:
    """What a submission gets."""

    name: str
    katas: list[KataGrade]
    notes: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(kata.points for kata in self.katas)

    @property
    def most(self) -> int:
        return sum(kata.most for kata in self.katas)

    def as_dict(self) -> dict[str, Any]:
        """The grade as JSON has it, with the sums."""
        katas = [asdict(kata) | {"points": kata.points, "most": kata.most} for kata in self.katas]
        return {"name": self.name, "points": self.points, "most": self.most, "katas": katas, "notes": self.notes}


def points_of(kata: Kata, worth: Mapping[str, int]) -> dict[int, int]:
    """The points that each step of a kata is worth: one each or, where the kata's are given, those, shared out.

    They are whole numbers: what does not divide goes to the last steps, which are the hardest.
    """
    steps = list(kata.steps)
    total = worth.get(kata.code, len(steps))
    each, rest = divmod(total, len(steps))
    return {step: each + (number >= len(steps) - rest) for number, step in enumerate(steps)}


def judged(kata: Kata, verdict: Verdict, most: Mapping[int, int]) -> KataGrade:
    """The grade of a kata that has a verdict."""
    statuses = {result.step: result.status for result in verdict.steps}
    steps = [
        StepGrade(
            step,
            title,
            most[step] * (_counts(verdict, statuses.get(step))),
            most[step],
            statuses.get(step, "not_reached"),
        )
        for step, title in kata.steps.items()
    ]
    text = _plain(render(verdict, kata.title, advice="").plain.strip())
    return KataGrade(kata.code, kata.title, verdict.verdict, steps, text, [each.name for each in verdict.diagnosis])


def unjudged(kata: Kata, standing: Standing, why: str, most: Mapping[int, int]) -> KataGrade:
    """The grade of a kata that has none."""
    steps = [StepGrade(step, title, 0, most[step], "not_reached") for step, title in kata.steps.items()]
    return KataGrade(kata.code, kata.title, standing, steps, why)


def _counts(verdict: Verdict, status: Status | None) -> bool:
    """Whether a step has its points: none has where the file does what grading refuses."""
    return status == "passed" and verdict.verdict != "refused"


def _plain(text: str) -> str:
    """A text without what a terminal would obey: what a submission prints and raises stands in it."""
    return "".join(
        letter if letter in "\n\t" or unicodedata.category(letter)[0] != "C" else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
