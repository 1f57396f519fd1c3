"""How a wrong tensor relates to the expected one: a relation is stated where it holds on every example that fails."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from .replay import close


@dataclass(frozen=True)
class Failure:
    """A wrong answer beside the expected one, of one shape, with what it was made from and the sizes of its example."""

    got: Tensor
    want: Tensor
    sizes: Mapping[str, int]
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, float]:
        """What a factor may be a formula of: the sizes, and the plain numbers among the inputs."""
        plain = {n: v for n, v in self.inputs.items() if type(v) in (int, float) and math.isfinite(v) and v > 0}
        return {name: value for name, value in plain.items() if value not in self.sizes.values()} | dict(self.sizes)

    @property
    def wrong(self) -> Tensor:
        """Which entries differ."""
        finite = self.want[self.want.isfinite()].double().abs()
        bound = 3e-5 * float(finite.max()) if finite.numel() else 0.0
        got, want = self.got.double(), self.want.double()
        return ~((got == want) | ((got - want).abs() <= max(bound, 1e-9)) | (got.isnan() & want.isnan()))

    def axis(self, axis: int) -> str:
        """A dimension by the name of the size that it has, where only one size has it."""
        names = [name for name, size in self.sizes.items() if size == self.want.shape[axis]]
        if len(names) == 1:
            return names[0]
        return "the last dimension" if axis == self.want.ndim - 1 else f"dimension {axis}"


Relation = Callable[[Failure], str]  # a sentence, or "" where it does not hold


def how(failures: Sequence[Failure]) -> Iterator[str]:
    """The first relation that holds on every failure, as a sentence about "it", the answer."""
    finite = all(each.got.isfinite().all() for each in failures)
    for relation in (_constant, _not_finite):
        if sentence := _common(relation, failures):
            yield sentence
            return
    for pooled in (_factor, _offset, _step) if finite and failures else ():
        if sentence := pooled(failures):
            yield sentence
            return
    if len(failures) > 2 and all(each.got.numel() == 1 for each in failures):  # together they are as telling as a row
        got, want = (torch.cat([value.double().flatten() for value in values]) for values in _columns(failures))
        failures = [Failure(got, want, {})]
    for relation in (_of_an_input, _transformed, _shifted, _order, _part, _rows, _where_zero, _nearly):
        if sentence := _common(relation, failures):
            yield sentence
            return


def _columns(failures: Sequence[Failure]) -> tuple[list[Tensor], list[Tensor]]:
    return [each.got for each in failures], [each.want for each in failures]


def _common(relation: Relation, failures: Sequence[Failure]) -> str:
    """The sentence of a relation that holds on all failures; of two numbers or fewer it may say nothing."""
    sentences = {sentence for each in failures if (sentence := relation(each)) or each.got.numel() > 2}
    return sentences.pop() if len(sentences) == 1 else ""


def _constant(failure: Failure) -> str:
    """It is one number everywhere, or each truth value is the other one."""
    got, want = failure.got, failure.want
    mask = got.dtype == torch.bool
    if mask and torch.equal(got, ~want):
        return "It is True exactly where it should be False, and the other way round."
    if (
        got.numel() < 2
        or (got != got.flatten()[0]).any()
        or (want == want.flatten()[0]).all()
        and want.any() == got.any()
    ):
        return ""
    if mask:
        return f"It is {bool(got.any())} everywhere."
    return "All its entries are the same number, and they should not be." if got.any() else "It is nothing but zeros."


def _not_finite(failure: Failure) -> str:
    got, want = failure.got.double(), failure.want.double()
    lost = ~got.isfinite() & want.isfinite()
    if not lost.any():
        finite = got.isfinite() & want.isinf()
        lowest = "−inf" if (want[finite] < 0).all() else "infinity"
        whole = finite.any() and torch.equal(want.isinf(), finite)
        return f"Where {lowest} is expected it holds a finite number." if whole else ""
    kind = "NaN (not a number)" if got.isnan().any() else "infinite"
    if lost.all():
        return f"Every entry is {kind}." if got.numel() > 1 else f"It is {kind}."
    return f"Some entries are {kind}, the others are right." if torch.equal(lost, failure.wrong) else ""


# Factors and offsets, over all failures at once.


def _ratio(failure: Failure) -> float | None:
    """The factor between the two tensors, or None."""
    got, want = failure.got.double(), failure.want.double()
    large = want.abs() > 1e-6 * want.abs().max() if want.numel() else want > 0
    if not large.any() or not want.isfinite().all():
        return None
    ratio = (got[large] / want[large]).median().item()
    same = torch.allclose(got, ratio * want, rtol=1e-3, atol=1e-5 * float(want.abs().max()))
    return ratio if same and math.isfinite(ratio) and ratio else None


def _factor(failures: Sequence[Failure]) -> str:
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
    if all(each.got.numel() > 2 for each in failures):
        return "All entries are too large or too small by one factor, which differs from example to example."
    return ""


BASES = {math.log(2): "ln 2", 1 / math.log(2): "1/ln 2", math.log(10): "ln 10", 1 / math.log(10): "1/ln 10"}


def _number(value: float) -> str:
    for factor, words in BASES.items():
        if math.isclose(value, factor, rel_tol=1e-4):
            return f"{words} (a logarithm in another base?)"
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


TERMS: dict[str, Callable[[float], float]] = {"{}": float, "({}−1)": lambda n: n - 1, "(1−{})": lambda n: 1 - n}


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
    for term in ("({}−1)", "(1−{})"):
        yield from (Formula((name,), (), term=term) for name in names)
        yield from (Formula((), (name,), term=term) for name in names)


def _offset(failures: Sequence[Failure]) -> str:
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


def _step(failures: Sequence[Failure]) -> str:
    """The way from an input to the answer is the expected way times a factor, as where an optimizer steps."""
    for name, value in failures[0].inputs.items():
        if not isinstance(value, Tensor) or value.dtype == torch.bool or not value.any():
            continue
        starts = [v if isinstance(v := each.inputs.get(name), Tensor) else torch.empty(0) for each in failures]
        if all(start.shape == each.want.shape for start, each in zip(starts, failures)):
            ways = [replace(e, got=e.got - start, want=e.want - start) for e, start in zip(failures, starts)]
            if (sentence := _factor(ways)).startswith("It is"):
                return f"It is `{name}` and a step, which {sentence[3:].replace('answer', 'step')}"
    return ""


# What it is instead.


def _of_an_input(failure: Failure) -> str:
    """It is an input, or the expected answer put together with one."""
    got, want = failure.got, failure.want
    if got.numel() < 2:
        return ""
    for name, value in failure.inputs.items():
        if not isinstance(value, Tensor) or value.dtype == torch.bool or not value.any():
            continue
        value = value.double()
        if value.shape == got.shape:
            for words, result in (
                (f"It is `{name}` itself, unchanged.", value),
                (f"It is the expected answer plus `{name}`.", want + value),
                (f"It is the expected answer minus `{name}`.", want - value),
                (f"It is the expected answer times `{name}`.", want * value),
                (f"It is the expected answer without the factor `{name}`.", want / value),
            ):
                if close(got.double(), result):
                    return words
            for what, function in ACTIVATIONS.items():
                if close(got.double(), function(value)):
                    return f"It is {what} of `{name}`."
        elif value.numel() == got.numel() and close(got.double().flatten(), value.flatten()):
            return f"It holds the numbers of `{name}`, only in another shape."
    return ""


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "the ReLU": torch.relu,
    "the square of the ReLU": lambda x: x.relu().square(),
    "the SiLU, x · sigmoid(x),": nn.functional.silu,
    "the hard form of the SiLU": nn.functional.hardswish,
    "the tanh": torch.tanh,
    "the sigmoid": torch.sigmoid,
    "the softmax, along the last dimension,": lambda x: x.softmax(-1),
    "the logarithm of the softmax": lambda x: x.log_softmax(-1),
    "the softmax over all entries at once": lambda x: x.flatten().softmax(0).reshape(x.shape),
}


def _transformed(failure: Failure) -> str:
    """It is a well-known function of the expected answer."""
    got, want = failure.got.double(), failure.want.double()
    if got.numel() < 2 or failure.got.dtype == torch.bool or (want == want.flatten()[0]).all():
        return ""
    for words, result in _functions_of(want):
        if result.shape == got.shape and not close(result, want) and close(got, result):
            return f"It is {words}."
    for words, result in _functions_of(got):
        if result.shape == want.shape and not close(result, got) and close(result, want) and "mean" not in words:
            return f"It would be right after this: {words.replace('the expected answer', 'the answer')}."
    return ""


def _functions_of(value: Tensor) -> Iterator[tuple[str, Tensor]]:
    yield "1 minus the expected answer", 1 - value
    yield "the inverse (1/x) of the expected answer", 1 / value
    yield "the square of the expected answer", value.square()
    yield "the square root of the expected answer", value.sqrt()
    yield "the logarithm of the expected answer", value.log()
    yield "the exponential of the expected answer", value.exp()
    yield "the expected answer to the base 2 in place of e", value.abs().pow(math.log(2))
    yield "the expected answer without its sign", value.abs()
    yield "the expected answer rounded to whole numbers", value.round()
    yield "the expected answer cut at 0", value.clamp(min=0)
    yield "the expected answer cut at 1", value.clamp(max=1)
    for axis in (-1, -2)[: value.ndim]:
        along = f"along the last {'' if axis == -1 else 'but one '}dimension"
        mean = value.mean(axis, keepdim=True)
        yield f"the expected answer after a softmax {along}", value.softmax(axis)
        yield f"the expected answer divided by its sum {along}", value / value.sum(axis, keepdim=True)
        yield f"the expected answer summed up step by step {along}", value.cumsum(axis)
        yield f"the expected answer less its mean {along}", value - mean
        yield f"the mean of the expected answer {along}, everywhere", mean.expand_as(value)


def _order(failure: Failure) -> str:
    got, want = failure.got.double(), failure.want.double()
    if got.numel() < 3 or not close(got.flatten().sort().values, want.flatten().sort().values):
        return ""
    for axis, size in enumerate(want.shape):
        if size > 1:
            name = failure.axis(axis)
            if close(got, want.flip(axis)):
                return f"The numbers are right, but in reverse order along {name}."
    for left, right in itertools.combinations(range(want.ndim), 2):
        turned = want.transpose(left, right)
        both = failure.axis(left), failure.axis(right)
        names = "rows and columns" if both[0] == both[1] else " and ".join(both)
        if turned.shape == got.shape and close(got, turned):
            return f"The numbers are right, but {names} are exchanged."
        if close(got, turned.reshape(want.shape)):
            return f"The numbers are right, but they are laid out as if {names} were exchanged."
        if close(got, want.reshape(turned.shape).transpose(left, right)):
            return f"The numbers are right, but {names} are exchanged too often: a view in place of a transpose?"
    return "The numbers are those expected, but they stand in other places."


def _shifted(failure: Failure) -> str:
    """The numbers stand some places too late or too early along a dimension; what was shifted in may be anything."""
    got, want = failure.got.double(), failure.want.double()
    for axis, size in enumerate(want.shape):
        for by in (1, 2):
            if size <= by + 1:
                continue
            for way, (mine, theirs) in (("late", (got, want)), ("early", (want, got))):
                rest = mine.narrow(axis, by, size - by), theirs.narrow(axis, 0, size - by)
                if close(*rest) and (rest[0] != rest[0].flatten()[0]).any():
                    many = "one place" if by == 1 else "two places"
                    return f"The numbers are right, but {many} too {way} along {failure.axis(axis)}."
    return ""


def _rows(failure: Failure) -> str:
    """Each line along a dimension is right but for a factor, or a number added, of its own."""
    got, want = failure.got.double(), failure.want.double()
    if not (got.isfinite().all() and want.isfinite().all()):
        return ""
    for axis in reversed(range(want.ndim)):
        if want.shape[axis] < 3 or want.ndim < 2:
            continue
        scale = (want * want).sum(axis, keepdim=True)
        factor = (got * want).sum(axis, keepdim=True) / scale
        if (scale > 0).all() and close(got, factor * want):
            return f"Along {failure.axis(axis)} the proportions are right, but each row is off by a factor of its own."
        if close(got, want + (got - want).mean(axis, keepdim=True)):
            return (
                f"Along {failure.axis(axis)} the differences are right, but each row is shifted by a number of its own."
            )
    return ""


# Which entries are wrong.


def _part(failure: Failure) -> str:
    """Which entries alone are wrong: of some lines along a dimension, on, above or below the diagonal."""
    wrong = failure.wrong
    if wrong.all() or wrong.numel() < 3:
        return ""
    if wrong.ndim >= 2 and wrong.shape[-1] == wrong.shape[-2] > 1:
        rows, columns = torch.meshgrid(*(torch.arange(size) for size in wrong.shape[-2:]), indexing="ij")
        flat = wrong.flatten(0, -3).any(0) if wrong.ndim > 2 else wrong
        off = columns - rows
        for words, where in (
            *(("on", off == 0), ("right above", off == 1), ("right below", off == -1)),
            *(("above", off > 0), ("below", off < 0)),
        ):
            if flat.any() and not (flat & ~where).any():
                return f"Only entries {words} the diagonal are wrong."
    for axis, size in enumerate(wrong.shape):
        others = [other for other in range(wrong.ndim) if other != axis]
        lines = wrong.any(dim=others) if others else wrong
        if size > 1 and not lines.all() and (words := _lines(lines.tolist())):
            return f"Along {failure.axis(axis)} {words}."
    return ""


def _lines(wrong: list[bool]) -> str:
    """Which of some lines are wrong, in words."""
    places, size = [at for at, each in enumerate(wrong) if each], len(wrong)
    if size == 2:
        return "only the first entry is wrong" if wrong[0] else "only the last entry is wrong"
    known: dict[tuple[int, ...], str] = {
        (0,): "only the first entry is wrong",
        (size - 1,): "only the last entry is wrong",
        tuple(range(1, size)): "only the first entry is right",
        tuple(range(size - 1)): "only the last entry is right",
        tuple(range(0, size, 2)): "every second entry is wrong, from the first on",
        tuple(range(1, size, 2)): "every second entry is wrong, from the second on",
    }
    if size % 2 == 0 and size > 2:
        known[tuple(range(size // 2))] = "the first half is wrong"
        known[tuple(range(size // 2, size))] = "the second half is wrong"
    return known.get(tuple(places), "")


def _where_zero(failure: Failure) -> str:
    got, want, wrong = failure.got, failure.want, failure.wrong
    if wrong.all() or got.numel() < 3 or got.dtype == torch.bool:
        return ""
    if not got[wrong].any():
        return "Some entries are 0 that should not be; the others are right."
    return "Some entries should be 0 and are not; the others are right." if not want[wrong].any() else ""


def _nearly(failure: Failure) -> str:
    """It is right to some digits."""
    got, want = failure.got.double(), failure.want.double()
    if got.numel() < 2 or not got.isfinite().all() or not want.isfinite().all() or not want.any():
        return ""
    off = float((got - want).abs().max() / want.abs().max())
    if off > 2e-3:
        return ""
    if off < 1e-5:
        return "It is right to about 6 digits, and wrong behind them, as numbers are that were float32 on their way."
    return "It is nearly right: no entry is off by more than 0.2 % of the largest."
