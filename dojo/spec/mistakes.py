"""The mistake bank: wrong versions of the reference solution, each a swap of a few characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

Swap = tuple[str, str]
UNKNOWN = "some number"  # says a name of a constant that the examples do not tell


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
    family: Family | None = field(default=None, compare=False, repr=False)
    constant: float | None = None  # that of a member of a family

    @property
    def members(self) -> tuple[Mistake, ...]:
        """The mistakes that this entry of a bank stands for: itself."""
        return (self,)

    def apply(self, solution: str) -> str:
        """The solution's text with the mistake in it. Raises SwapError."""
        for old, new in self.swaps:
            count = solution.count(old)
            if count != 1:
                raise SwapError(f'"{self.name}": {old!r} stands {count} times in the solution, not once')
            solution = solution.replace(old, new)
        return solution


@dataclass(frozen=True)
class Family:
    """Mistakes that differ in a constant, which stands as {c} in name, swaps and explanation.

    The bank and the index hold the members with these `constants`, in order of size; a diagnosis finds any other,
    of the same sign where all of these have one.
    """

    name: str
    swaps: tuple[Swap, ...]
    constants: tuple[float, ...]
    caught_by: str
    explanation: str

    @property
    def members(self) -> tuple[Mistake, ...]:
        """The mistakes that this entry of a bank stands for."""
        return tuple(map(self.member, self.constants))

    def member(self, constant: float) -> Mistake:
        """The mistake with a constant."""
        swaps = tuple((old, _filled(new, constant, "r")) for old, new in self.swaps)
        name, explanation = (_filled(text, constant, "g") for text in (self.name, self.explanation))
        return Mistake(name, swaps, self.caught_by, explanation, self, constant)

    @property
    def of_one_sign(self) -> bool:
        """Whether all constants are above 0, or all below."""
        return all(constant > 0 for constant in self.constants) or all(constant < 0 for constant in self.constants)

    @property
    def some(self) -> Mistake:
        """The mistake where its constant is not known."""
        name, explanation = (text.replace("{c}", UNKNOWN) for text in (self.name, self.explanation))
        return Mistake(name, (), self.caught_by, explanation, self)


def _filled(text: str, constant: float, form: str) -> str:
    """A text with the constant for {c}: to read ("g"), or as a number of Python's ("r")."""
    number = re.sub(r"e\+?(-?)0*", r"e\1", f"{constant:,.6g}") if form == "g" else repr(constant)
    return text.replace("{c}", number)


def swap(old: str, new: str) -> Swap:
    """Replace `old`, which must stand exactly once in the solution, by `new`."""
    return old, new


def mistake(name: str, *swaps: Swap, caught_by: str, explanation: str) -> Mistake:
    """A mistake of one or more swaps."""
    return Mistake(name, swaps, caught_by, " ".join(explanation.split()))


def family(name: str, *swaps: Swap, constants: Sequence[float], caught_by: str, explanation: str) -> Family:
    """Mistakes that differ in a constant: {c} in the name, the explanation and the new texts of the swaps."""
    if len(set(constants)) < 2:
        raise ValueError(f'"{name}": a family has two constants at least')
    if not any("{c}" in new for _, new in swaps) or "{c}" not in name:
        raise ValueError(f'"{name}": the constant stands as {{c}} in the name and in a swap')
    return Family(name, swaps, tuple(sorted(constants, key=abs)), caught_by, " ".join(explanation.split()))


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
