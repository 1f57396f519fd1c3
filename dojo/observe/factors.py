"""A wrong tensor as the expected one times a factor, or and a number: a formula of the sizes where it is one.

All examples that fail are looked at together, since a formula shows only where the sizes vary.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .values import Failure


def _ratio(failure: Failure) -> float | None:
    """The factor between the two tensors, or None."""
    got, want = failure.got.double(), failure.want.double()
    large = want.abs() > 1e-6 * want.abs().max() if want.numel() else want > 0
    if not large.any() or not want.isfinite().all():
        return None
    ratio = (got[large] / want[large]).median().item()
    same = torch.allclose(got, ratio * want, rtol=1e-3, atol=1e-5 * float(want.abs().max()))
    return ratio if same and math.isfinite(ratio) and ratio else None


def factor(failures: Sequence[Failure]) -> str:
    """It is the expected answer times a number, or a formula of the sizes and of plain arguments."""
    if any(each.got.dtype == torch.bool for each in failures):
        return ""
    ratios = [_ratio(each) for each in failures]
    known = [ratio for ratio in ratios if ratio is not None]
    evidence = sum(int((each.want != 0).sum()) for each in failures)  # a single number is a multiple of any other
    if len(known) < len(ratios) or evidence < 3 or all(abs(ratio - 1) < 5e-3 for ratio in known):
        return ""
    if all(abs(ratio + 1) < 1e-3 for ratio in known):
        return "It is right but for its sign."
    for formula in formulas([each.numbers for each in failures]):
        if all(math.isclose(ratio, formula(each.numbers), rel_tol=1e-3) for ratio, each in zip(known, failures)):
            return f"It is the expected answer times {formula}."
    if max(known) - min(known) < 1e-3 * abs(known[0]):
        return f"It is {_number(known[0])} times the expected answer, whatever the sizes."
    if all(each.got.numel() > 1 for each in failures) and any(each.got.numel() > 2 for each in failures):
        return "All entries are too large or too small by one factor, which differs from example to example."
    return ""


BASES = {2 * math.pi: "2π", 0.5 / math.pi: "1/2π", math.pi: "π", math.log(2): "ln 2", math.log(10): "ln 10"} | {
    1 / math.log(2): "1/ln 2",
    1 / math.log(10): "1/ln 10",
}


def _number(value: float) -> str:
    for base, words in BASES.items():
        if math.isclose(value, base, rel_tol=1e-4):
            return words if "π" in words else f"{words} (a logarithm in another base?)"
    for whole in range(2, 33):
        if math.isclose(value, 1 / whole, rel_tol=1e-3):
            return f"1/{whole}"
        if whole > 4 and math.isclose(value, whole**0.5, rel_tol=1e-3) and whole**0.5 % 1:
            return f"√{whole}"
    return f"{value:.3g}"


@dataclass(frozen=True)
class Formula:
    """A factor as a power of numbers: those above the bar times each other, over those below it."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    power: float = 1.0
    term: str = "{}"  # what stands for each number: itself, less 1, or what it lacks of 1

    def __call__(self, numbers: Mapping[str, float]) -> float:
        value = TERMS[self.term]
        above, below = (math.prod(value(numbers[name]) for name in names) for names in (self.above, self.below))
        return float((above / below) ** self.power) if below > 0 and above > 0 else math.nan

    def __str__(self) -> str:
        above, below = ("·".join(map(self.term.format, names)) for names in (self.above, self.below))
        below = f"({below})" if len(self.below) > 1 else below
        root = "√" if self.power == 0.5 else ""
        square = "²" if self.power == 2 else ""
        parts = [
            f"{root}({part})" if root and "·" in part else f"{root}{part}{square}" for part in (above, below) if part
        ]
        return f"1/{parts[-1]}" if not above else "/".join(parts)


TERMS: dict[str, Callable[[float], float]] = {
    "{}": float,
    "({}−1)": lambda n: n - 1,
    "(1−{})": lambda n: 1 - n,
    "({}+1)": lambda n: n + 1,
}


def formulas(numbers: Sequence[Mapping[str, float]]) -> Iterator[Formula]:
    """Formulas of the numbers, the simplest first; only of those that vary, else a constant would do as well."""
    names = [name for name in numbers[0] if all(name in each for each in numbers)]
    names = [name for name in names if len({each[name] for each in numbers}) > 1]
    for power in (1.0, 0.5, 2.0):
        yield from (Formula((name,), (), power) for name in names)
        yield from (Formula((), (name,), power) for name in names)
    for power in (1.0, 0.5):
        yield from (Formula((left,), (right,), power) for left, right in itertools.permutations(names, 2))
        yield from (Formula(pair, (), power) for pair in itertools.combinations(names, 2))
        yield from (Formula((), pair, power) for pair in itertools.combinations(names, 2))
    for term in ("({}−1)", "(1−{})", "({}+1)"):
        yield from (Formula((name,), (), term=term) for name in names)
        yield from (Formula((), (name,), term=term) for name in names)


def offset(failures: Sequence[Failure]) -> str:
    """It is the expected answer and a number, the same everywhere."""
    if any(each.got.dtype == torch.bool or not each.want.isfinite().all() for each in failures):
        return ""
    offsets = [(each.got.double() - each.want.double()).flatten() for each in failures]
    first = [float(offset[0]) for offset in offsets]
    if sum(len(offset) for offset in offsets) < 3 or not all(first):
        return ""
    if any((offset - offset[0]).abs().max() > 1e-4 * offset.abs().max() for offset in offsets):
        return ""
    if not all(math.isclose(value, first[0], rel_tol=1e-4) for value in first):
        return ""
    return f"It is {abs(first[0]):.3g} {'more' if first[0] > 0 else 'less'} than expected everywhere."


def step(failures: Sequence[Failure]) -> str:
    """The way from an input to the answer is the expected way times a factor, as where an optimizer steps."""
    for name, value in failures[0].inputs.items():
        if not isinstance(value, Tensor) or value.dtype == torch.bool or not value.any():
            continue
        starts = [v if isinstance(v := each.inputs.get(name), Tensor) else torch.empty(0) for each in failures]
        if all(start.shape == each.want.shape for start, each in zip(starts, failures)):
            ways = [replace(e, got=e.got - start, want=e.want - start) for e, start in zip(failures, starts)]
            if (sentence := factor(ways)).startswith("It is"):
                return f"It is `{name}` and a step, which {sentence[3:].replace('answer', 'step')}"
    return ""
