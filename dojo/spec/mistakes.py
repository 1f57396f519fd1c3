"""The mistake bank: wrong versions of the reference solution, each a swap of a few characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Swap = tuple[str, str]


class SwapError(ValueError):
    """A swap's text does not stand in the solution, or stands there more than once."""


@dataclass(frozen=True)
class Mistake:
    """A misunderstanding, as the change of the solution that it amounts to.

    `caught_by` is the property that must fail; `explanation` tells in two sentences what the code does and why
    that is wrong, without blame and without the answer.
    """

    name: str
    swaps: tuple[Swap, ...]
    caught_by: str
    explanation: str

    def apply(self, solution: str) -> str:
        """The solution's text with the mistake in it. Raises SwapError."""
        for old, new in self.swaps:
            count = solution.count(old)
            if count != 1:
                raise SwapError(f'"{self.name}": {old!r} stands {count} times in the solution, not once')
            solution = solution.replace(old, new)
        return solution


def swap(old: str, new: str) -> Swap:
    """Replace `old`, which must stand exactly once in the solution, by `new`."""
    return old, new


def mistake(name: str, *swaps: Swap, caught_by: str, explanation: str) -> Mistake:
    """A mistake of one or more swaps."""
    return Mistake(name, swaps, caught_by, " ".join(explanation.split()))


def compose(mistakes: Sequence[Mistake], solution: str) -> str | None:
    """The solution's text with several mistakes at once, in whichever order they fit, or None if they do not."""
    for order in (mistakes, list(reversed(mistakes))):
        text = solution
        try:
            for mistake in order:
                text = mistake.apply(text)
        except SwapError:
            continue
        return text
    return None
