"""Find the constant of a family of mistakes: which fill, which scale, which rate gives the answers that were seen.

The number of constants that are tried is bounded: a grid of sizes, then a golden section between the best one's
neighbours. What is found must give every answer of the code under test, and is said as roundly as it can be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..spec.mistakes import Family, Mistake
from .answers import Answer

GRID = 24  # constants of other sizes
BEYOND = 30.0  # how far the grid goes beyond the constants of the bank, as a factor
SECTIONS = 26  # constants between neighbours of the grid
DIGITS = 6  # to which a constant is rounded, at most
AIMS = 4  # answers that are compared while a constant is looked for
APART = 1.25  # the factor between constants that are told apart
FAR = 100.0  # what an answer of another kind counts
CLOSE = 0.02  # the sum of the logarithms of 1 + the distance in tolerances
_GOLDEN = (5**0.5 - 1) / 2

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
        if fit.gives_all(rounded := float(f"{constant:.{digits}e}")):
            return known(family, rounded, answers, ask)
    return known(family, constant, answers, ask) if fit.gives_all(constant) else None


def known(family: Family, constant: float, answers: Answers, ask: Ask) -> Mistake:
    """The member of a family that gives these answers; without its constant where another gives them as well."""
    fit = _Fit(family, answers, ask)
    others = (constant * APART, constant / APART)
    return family.some if any(map(fit.gives_all, others)) else family.member(constant)


class _Fit:
    def __init__(self, family: Family, answers: Answers, ask: Ask):
        self.family, self.answers, self.ask = family, answers, ask
        wrong = [name for name, answer in answers.items() if not answer.passed]
        self.aims = sorted(wrong, key=lambda name: not answers[name].slack)[:AIMS]  # sooner those with numbers

    def constant(self) -> float | None:
        """The constant that comes nearest in the aims; None where there is nothing to aim at."""
        if not self.aims or not self.answers[self.aims[0]].slack:
            return None
        sizes = np.abs(self.family.constants)
        sign = float(np.sign(self.family.constants[0]))
        grid = np.geomspace(sizes.min() / BEYOND, sizes.max() * BEYOND, GRID)
        sizes_tried = sorted([*map(float, grid), *map(float, sizes)])
        off = [self.off(sign * size) for size in sizes_tried]
        best = off.index(min(off))
        if off[best] >= FAR:  # of another kind, whatever the constant
            return None
        low, high = sizes_tried[max(best - 1, 0)], sizes_tried[min(best + 1, len(sizes_tried) - 1)]
        return sign * math.exp(self._section(math.log(low), math.log(high), lambda log: self.off(sign * math.exp(log))))

    def _section(self, low: float, high: float, off: Callable[[float], float]) -> float:
        """Where a function is least, by golden section."""
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        at_left, at_right = off(left), off(right)
        for _ in range(SECTIONS):
            if min(at_left, at_right) < CLOSE:
                break
            if at_left <= at_right:
                high, right, at_right = right, left, at_left
                left = high - _GOLDEN * (high - low)
                at_left = off(left)
            else:
                low, left, at_left = left, right, at_right
                right = low + _GOLDEN * (high - low)
                at_right = off(right)
        return left if at_left <= at_right else right

    def off(self, constant: float) -> float:
        """How far the member with a constant is off in the aims; what is of another kind counts as far."""
        given = self.ask(self.family.member(constant), self.aims)
        total = 0.0
        for name in self.aims:
            answer, want = given.get(name), self.answers[name]
            if answer is None or answer.digest != want.digest:
                total += FAR
            else:
                distance = np.abs(answer.projections - want.projections).max() / max(want.slack, 1e-300)
                total += float(np.log1p(distance))
        return total

    def gives_all(self, constant: float) -> bool:
        """Whether the member with a constant gives every answer; the aims are asked first."""
        member = self.family.member(constant)
        for names in (self.aims, [name for name in self.answers if name not in self.aims]):
            given = self.ask(member, names)
            if not all(name in given and given[name].agrees(self.answers[name]) for name in names):
                return False
        return True
