"""What can be said of a wrong answer though nobody has written the mistake down: at most three true sentences.

How: a relation of the answer to the expected one that holds on every example that fails. On what: inputs that the
answer depends on and should not, or should and does not. Where: a change of one thing that makes the code right.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..sandbox.subject import Subject
from ..spec.check import Mismatch
from ..spec.claims import Claim, Example, Outcome
from ..spec.conditions import WORDS, Conditions
from ..spec.strategies import Sizes
from .dependence import dependences

SENTENCES = 3
Run = Callable[[Example], Outcome]


@dataclass(frozen=True)
class Failure:
    """A wrong answer beside the expected one, tensors of one shape, and the sizes of its example."""

    got: Tensor
    want: Tensor
    wrong: Tensor  # bool, where they differ
    sizes: dict[str, int]


def observe(claim: Claim, outcome: Outcome, subject: Subject, reference: Any) -> list[str]:
    """Sentences about why a claim fails, the most telling first; `outcome` is on the example that is shown."""

    def run(example: Example) -> Outcome:
        return claim.once(subject, reference, example)

    outcomes = [outcome, *map(run, claim.drawn)]
    failures = [failure for each in outcomes if (failure := _failure(each)) is not None]
    sources = (
        lambda: _how(failures),
        lambda: dependences(outcome, run, subject, reference),
        lambda: _where(claim, outcome.example, run),
    )
    sentences: dict[str, None] = {}
    for source in sources:
        with contextlib.suppress(Exception):  # code that is wrong may do anything when it is called otherwise
            sentences |= dict.fromkeys(source())
    return list(sentences)[:SENTENCES]


def _failure(outcome: Outcome) -> Failure | None:
    error = outcome.error
    if not isinstance(error, Mismatch) or (wrong := error.differs()) is None or not wrong.any():
        return None
    sizes = {
        name: size
        for value in outcome.example.values()
        if isinstance(value, Sizes)
        for name, size in value.dims.items()
    }
    return Failure(error.got.double(), error.want.double(), wrong, sizes)


# How the answer relates to the expected one.


def _how(failures: Sequence[Failure]) -> Iterator[str]:
    """The first relation that holds on every failure."""
    if not failures:
        return
    for relation in (_zeros, _not_finite, _factor, _offset, _order, _part):
        sentences = {relation(failure, failures) for failure in failures}
        if len(sentences) == 1 and (sentence := sentences.pop()):
            yield sentence
            return


def _zeros(failure: Failure, _: Sequence[Failure]) -> str:
    return "The answer is nothing but zeros." if failure.got.numel() > 1 and not failure.got.any() else ""


def _not_finite(failure: Failure, _: Sequence[Failure]) -> str:
    lost = ~failure.got.isfinite() & failure.want.isfinite()
    if not lost.any():
        return ""
    kind = "NaN" if failure.got.isnan().any() else "infinite"
    return (
        f"Every entry is {kind}."
        if lost.all()
        else f"Some entries are {kind}, the others are right." * bool(torch.equal(lost, failure.wrong))
    )


def _ratio(got: Tensor, want: Tensor) -> float | None:
    """The one factor between two tensors, or None."""
    large = want.abs() > 1e-6 * want.abs().max()
    if got.numel() < 2 or not large.any() or not (got.isfinite().all() and want.isfinite().all()):
        return None
    ratio = (got[large] / want[large]).median().item()
    return ratio if torch.allclose(got, ratio * want, rtol=1e-3, atol=1e-5 * float(want.abs().max())) else None


def _factor(failure: Failure, failures: Sequence[Failure]) -> str:
    ratios = [_ratio(each.got, each.want) for each in failures]
    if any(ratio is None or not math.isfinite(ratio) or ratio == 0 for ratio in ratios):
        return ""
    known = [ratio for ratio in ratios if ratio is not None]
    if all(abs(ratio - 1) < 1e-2 for ratio in known):
        return ""  # nearly right says nothing
    if all(abs(ratio + 1) < 1e-3 for ratio in known):
        return "The answer is right but for its sign."
    for formula in _formulas(failures):
        if all(math.isclose(ratio, formula(each.sizes), rel_tol=1e-3) for ratio, each in zip(known, failures)):
            return f"The answer is {formula} times the expected one."
    if max(known) - min(known) < 1e-3 * abs(known[0]):
        return f"The answer is {known[0]:.3g} times the expected one, whatever the sizes."
    return "The answer is a multiple of the expected one, by another factor in each example."


@dataclass(frozen=True)
class Formula:
    """A factor as a power of sizes: those above the bar times each other, over those below it."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    power: float

    def __call__(self, sizes: dict[str, int]) -> float:
        above, below = (math.prod(sizes[name] for name in names) for names in (self.above, self.below))
        return float((above / below) ** self.power)

    def __str__(self) -> str:
        above, below = "·".join(self.above) or "1", "·".join(self.below)
        whole = f"{above}/{below}" if below else above
        if self.power == 0.5:
            return f"1/√{below}" if above == "1" else f"√({whole})" if below or "·" in above else f"√{above}"
        return f"{whole}²" if self.power == 2 else whole


def _formulas(failures: Sequence[Failure]) -> Iterator[Formula]:
    """Formulas of the sizes, the simplest first; only of those that vary, else a constant would do as well."""
    names = [name for name in failures[0].sizes if all(name in each.sizes for each in failures)]
    names = [name for name in names if len({each.sizes[name] for each in failures}) > 1]
    for power in (1.0, 0.5, 2.0):
        yield from (Formula((name,), (), power) for name in names)
        yield from (Formula((), (name,), power) for name in names if power < 2)
    for power in (1.0, 0.5):
        yield from (Formula((one,), (other,), power) for one, other in itertools.permutations(names, 2))
        yield from (Formula((one, other), (), power) for one, other in itertools.combinations(names, 2))
        yield from (Formula((), (one, other), power) for one, other in itertools.combinations(names, 2))


def _offset(failure: Failure, failures: Sequence[Failure]) -> str:
    if failure.got.numel() < 2 or failure.got.dtype == torch.bool:
        return ""
    offset = failure.got - failure.want
    if not offset.isfinite().all() or (offset - offset.flatten()[0]).abs().max() > 1e-4 * offset.abs().max():
        return ""
    return (
        f"The answer is the expected one plus {offset.flatten()[0]:.3g} everywhere."
        if len(failures) == 1
        else ("The answer is off by the same number everywhere.")
    )


def _order(failure: Failure, _: Sequence[Failure]) -> str:
    got, want = failure.got, failure.want
    if got.numel() < 2 or not _same(got.flatten().sort().values, want.flatten().sort().values):
        return ""
    for axis, size in enumerate(want.shape):
        if size > 1:
            name = _axis(failure, axis)
            if _same(got, want.flip(axis)):
                return f"The numbers are right, but in reverse order along {name}."
            if size > 2 and _same(got, want.roll(1, axis)):
                return f"The numbers are right, but one place too far along {name}."
            if size > 2 and _same(got, want.roll(-1, axis)):
                return f"The numbers are right, but one place too early along {name}."
    for one, other in itertools.combinations(range(want.ndim), 2):
        turned = want.transpose(one, other)
        if turned.shape == got.shape and _same(got, turned):
            return "The numbers are right, but rows and columns are exchanged."
        if _same(got, turned.reshape(want.shape)):
            names = f"{_axis(failure, one)} and {_axis(failure, other)}"
            return f"The numbers are right, but they are laid out as if {names} were exchanged."
    return "The numbers are those expected, but some stand in other places."


def _part(failure: Failure, _: Sequence[Failure]) -> str:
    """Which entries alone are wrong: of one row, of the first, of the last, on, above or below the diagonal."""
    wrong = failure.wrong
    if wrong.all() or wrong.numel() < 3:
        return ""
    for axis, size in enumerate(wrong.shape):
        others = [other for other in range(wrong.ndim) if other != axis]
        lines = wrong.any(dim=others) if others else wrong
        if size > 1 and not lines.all():
            places = lines.nonzero().flatten().tolist()
            name = _axis(failure, axis)
            for words, want in (("the first", [0]), ("the last", [size - 1])):
                if places == want:
                    return f"Only {words} entry along {name} is wrong."
            if places == list(range(1, size)) and size > 2:
                return f"Along {name} only the first entry is right."
            if places == list(range(size - 1)) and size > 2:
                return f"Along {name} only the last entry is right."
    if wrong.ndim >= 2 and wrong.shape[-1] == wrong.shape[-2] > 1:
        rows, columns = torch.meshgrid(*(torch.arange(size) for size in wrong.shape[-2:]), indexing="ij")
        flat = wrong.flatten(0, -3).any(0) if wrong.ndim > 2 else wrong
        for words, where in (("on", rows == columns), ("above", columns > rows), ("below", columns < rows)):
            if flat.any() and not (flat & ~where).any():
                return f"Only entries {words} the diagonal are wrong."
    return ""


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True)


def _axis(failure: Failure, axis: int) -> str:
    """An axis by the name of the size that it has, where only one has it."""
    size = failure.want.shape[axis]
    names = [name for name, value in failure.sizes.items() if value == size]
    return f"{names[0]}" if len(names) == 1 else f"dimension {axis}"


# Where the code is right.


def _where(claim: Claim, example: Example, run: Run) -> Iterator[str]:
    """Changes of one property of the example that make the code right, the simplest first."""
    if run(example).kind == "passed":  # it is right now: what it says depends on what was called before
        yield "On this very example the code is right when it is called again."
        return
    for simpler in example.conditions.simpler():
        if run(example.under(simpler)).kind == "passed":
            yield _without(example.conditions, simpler)
            break
    for name, values in claim.choices.items():
        right = [
            value for value in values if value != example[name] and run(_with(example, name, value)).kind == "passed"
        ]
        if right:
            yield f"It is right with {name} = {_shown(right[0])}, and wrong with {name} = {_shown(example[name])}."
    for name, value in example.items():
        if isinstance(value, Sizes):
            yield from _smaller(example, name, value, run)


def _smaller(example: Example, name: str, sizes: Sizes, run: Run) -> Iterator[str]:
    """The largest size of one dimension for which the code is right."""
    for dim, size in sizes.dims.items():
        kinds = []
        for less in range(1, size + 1):
            changed = replace(sizes, dims=sizes.dims | {dim: less})
            kinds.append(run(_with(example, name, changed)).kind)
            if kinds[-1] not in ("passed", "mismatch", "raised"):
                return
        right = kinds.index("mismatch") if "mismatch" in kinds else 0
        if right and "passed" not in kinds[right:]:
            yield f"It is right for {dim} = {right}, and wrong from {dim} = {right + 1} on."
            return


def _with(example: Example, name: str, value: Any) -> Example:
    return Example(example | {name: value}).under(example.conditions)


def _without(given: Conditions, simpler: Conditions) -> str:
    """What makes the difference between two conditions, in words."""
    if given.layout != simpler.layout:
        return f"It is right for contiguous tensors, and wrong for {WORDS[given.layout]}."
    if given.dtype != simpler.dtype:
        other = "single" if given.dtype == "float64" else "double"
        return f"It is wrong {WORDS[given.dtype]}, and right in {other} precision."
    if given.earlier != simpler.earlier:
        return "It is right when it is called for the first time, and wrong after calls with other values."
    return f"It is wrong with {WORDS[given.arguments]}, in the order of the contract."


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
