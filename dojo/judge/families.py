"""Find the constant of a family of mistakes: which fill, which scale, which rate gives the answers that were seen.

The answers of the members that the bank knows are at hand; from the two that come nearest, a secant of the projections
points to a constant, which is tried in its turn. What is found must give every answer of the code under test, and is
said as roundly as it can be. What is tried is bounded in numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..spec.mistakes import Family, Mistake
from .answers import Answer

TRIES = 32  # constants that are tried, at most
IN_VAIN = 15  # constants after which the distance must have halved
HALVING = 3  # of so many tries, the last halves a gap
BEYOND = 1000.0  # how far beyond the constants of the bank is looked, as a factor
DIGITS = 6  # to which a constant is rounded, at most
AIMS = 4  # answers that are compared while a constant is looked for
APART = 1.25  # the factor between constants that are told apart
SHARE = 0.05  # of the width of what is searched, likewise, where constants have both signs
CLOSE = 0.02  # a distance in tolerances
FLAT = 1e-3  # a change of distance that shows no direction, as a share

Answers = Mapping[str, Answer]  # by the name of the check
Ask = Callable[
    [Mistake, Sequence[str]], Answers
]  # what a mistake answers on these checks; none where it cannot be made


def member_that_gives(family: Family, answers: Answers, ask: Ask) -> Mistake | None:
    """The member of a family that gives all these answers, or None."""
    fit = _Fit(family, answers, ask)
    constant = fit.constant()
    if constant is None:
        return None
    for digits in range(DIGITS):
        if fit.gives_all(rounded := fit.rounded(constant, digits)):
            return known(family, rounded, answers, ask)
    return known(family, constant, answers, ask) if fit.gives_all(constant) else None


def known(family: Family, constant: float, answers: Answers, ask: Ask) -> Mistake:
    """The member of a family that gives these answers; without its constant where another gives them as well."""
    fit = _Fit(family, answers, ask)
    return family.some if any(map(fit.gives_all, fit.beside(constant))) else family.member(constant)


@dataclass(frozen=True)
class _Off:
    """How far a member is off in the aims: in how many it answers in another way, and in tolerances elsewhere."""

    otherwise: int
    vector: NDArray[np.float64]

    @property
    def distance(self) -> tuple[int, float]:
        """What is compared."""
        return self.otherwise, float(np.linalg.norm(self.vector))


class _Fit:
    def __init__(self, family: Family, answers: Answers, ask: Ask):
        self.family, self.answers, self.ask = family, answers, ask
        self.aims = self._telling([name for name, answer in answers.items() if not answer.passed])[:AIMS]
        sizes = [abs(constant) for constant in family.constants]
        self.sign = math.copysign(1.0, family.constants[0]) if family.of_one_sign else 0.0
        places, beyond = list(map(self._place, family.constants)), math.log(BEYOND) if self.sign else 2 * max(sizes)
        self.ends = min(places) - beyond, max(places) + beyond

    def _telling(self, names: Sequence[str]) -> list[str]:
        """Names of checks, sooner those with numbers, and of these those that tell more of the known members apart."""
        given = [self.ask(member, names) for member in self.family.members]

        def key(name: str) -> tuple[bool, int]:
            pairs = itertools.pairwise([answers[name] for answers in given if name in answers])
            return not self.answers[name].slack, sum(one.agrees(other) for one, other in pairs)

        return sorted(names, key=key)

    def constant(self) -> float | None:
        """The constant that comes nearest in the aims; None where there is nothing to aim at, or no way there."""
        if not self.aims or not self.answers[self.aims[0]].slack:
            return None
        tried = {place: self._off(place) for place in map(self._place, self.family.constants)}
        first = best = min(tried, key=lambda place: tried[place].distance)
        if tried[first].otherwise == len(self.aims):  # of another kind, whatever the constant
            return None
        for tries in range(TRIES):
            otherwise, distance = tried[best].distance
            if not otherwise and distance < CLOSE:
                break
            if tries >= IN_VAIN and (otherwise, 2 * distance) > tried[first].distance:
                return None
            place = _next(tried, best, self.ends, tries)
            tried[place] = self._off(place)
            best = min(tried, key=lambda place: tried[place].distance)
        return self._at(best)

    def _place(self, constant: float) -> float:
        """Where a constant stands on the line that is searched: by its size where all have one sign."""
        return math.log(abs(constant)) if self.sign else constant

    def _at(self, place: float) -> float:
        return self.sign * math.exp(place) if self.sign else place

    def rounded(self, constant: float, digits: int) -> float:
        """A constant with so many digits after its first, or after the point where constants have both signs."""
        return float(f"{constant:.{digits}e}") if self.sign else round(constant, digits)

    def beside(self, constant: float) -> tuple[float, float]:
        """A constant above and one below that would be called another number."""
        place = self._place(constant)
        apart = math.log(APART) if self.sign else SHARE * (self.ends[1] - self.ends[0])
        return self._at(place - apart), self._at(place + apart)

    def _off(self, place: float) -> _Off:
        constants = {self._place(constant): constant for constant in self.family.constants}
        given = self.ask(self.family.member(constants.get(place, self._at(place))), self.aims)
        parts, otherwise = [], 0
        for name in self.aims:
            answer, want = given.get(name), self.answers[name]
            if answer is None or answer.digest != want.digest:
                parts.append(np.zeros_like(want.projections))
                otherwise += 1
            else:
                parts.append((answer.projections - want.projections) / max(want.slack, 1e-300))
        return _Off(otherwise, np.concatenate(parts))

    def gives_all(self, constant: float) -> bool:
        """Whether the member with a constant gives every answer; the aims are asked first."""
        member = self.family.member(constant)
        for names in (self.aims, [name for name in self.answers if name not in self.aims]):
            given = self.ask(member, names)
            if not all(name in given and given[name].agrees(self.answers[name]) for name in names):
                return False
        return True


def _next(tried: Mapping[float, _Off], best: float, ends: tuple[float, float], tries: int) -> float:
    """Where to try next: where the secant of the two best points to; by turns in the middle of the widest gap beside
    the best, since a secant may creep, and of the widest of all, since it may end in a hollow."""
    second = min((place for place in tried if place != best), key=lambda place: tried[place].distance)
    at, step = tried[best].vector, tried[second].vector - tried[best].vector
    places = sorted({*tried, *ends})
    gaps = list(itertools.pairwise(places))
    beside = [gap for gap in gaps if best in gap]
    if tries % HALVING < HALVING - 1 and np.linalg.norm(step) > FLAT * np.linalg.norm(at):
        place = best - (second - best) * float(step @ at) / float(step @ step)
        if beside[0][0] < place < beside[-1][1] and place not in tried:
            return place
    low, high = max(gaps if tries % 2 else beside, key=lambda gap: gap[1] - gap[0])
    return (low + high) / 2
