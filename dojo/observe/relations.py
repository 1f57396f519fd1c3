"""How a wrong tensor relates to the expected one: a relation is stated where it holds on every example that fails."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from .factors import factor, offset, step
from .values import Failure, close

Relation = Callable[[Failure], str | list[str]]  # sentences, the most telling first; none where it does not hold


def how(failures: Sequence[Failure]) -> Iterator[str]:
    """The first relation that holds on every failure, as a sentence about "it", the answer."""
    if not any(each.wrong.any() for each in failures):  # a matter of digits, or of the dtype alone
        if sentence := _common(_nearly, failures):
            yield sentence
        return
    finite = all(each.got.isfinite().all() for each in failures)
    first: tuple[Relation, ...] = (_constant, _not_finite)
    for relation in first:
        if sentence := _common(relation, failures):
            yield sentence
            return
    for pooled in (factor, offset, step) if finite and failures else ():
        if sentence := pooled(failures):
            yield sentence
            return
    if len(failures) > 2 and all(each.got.numel() == 1 for each in failures):  # together they are as telling as a row
        got, want = (torch.cat([value.double().flatten() for value in values]) for values in _columns(failures))
        failures = [Failure(got, want, {})]
    for relation in RELATIONS:
        if sentence := _common(relation, failures):
            yield sentence
            return


def _columns(failures: Sequence[Failure]) -> tuple[list[Tensor], list[Tensor]]:
    return [each.got for each in failures], [each.want for each in failures]


def _common(relation: Relation, failures: Sequence[Failure]) -> str:
    """The first sentence of a relation that holds on all failures; of two numbers or fewer it may say nothing."""
    given = [(relation(each), each.got.numel() > 2) for each in failures]
    lists = [[said] if isinstance(said, str) and said else list(said) for said, tells in given if said or tells]
    return next((each for each in max(lists, key=len) if all(each in other for other in lists)), "") if lists else ""


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
    "the ELU": nn.functional.elu,
    "the softplus": nn.functional.softplus,
    "the leaky ReLU": nn.functional.leaky_relu,
    "the GELU (by erf)": nn.functional.gelu,
    "the GELU (by tanh)": lambda x: nn.functional.gelu(x, approximate="tanh"),
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
    low, high = float(got.min()), float(got.max())
    for words, result in ((f"below {low:.3g}", want.clamp(min=low)), (f"above {high:.3g}", want.clamp(max=high))):
        if not close(result, want) and close(got, result):
            return f"It is the expected answer cut off {words}."
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
    return ""


def _elsewhere(failure: Failure) -> str:
    got, want = failure.got.double(), failure.want.double()
    if got.numel() < 3 or not close(got.flatten().sort().values, want.flatten().sort().values):
        return ""
    for axis in range(want.ndim):
        for words, down in (("the smallest first", False), ("the largest first", True)):
            if close(got, want.sort(axis, descending=down).values):
                return f"The numbers are right, but they are sorted along {failure.axis(axis)}, {words}."
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


def _moved(failure: Failure) -> list[str]:
    """Each line along a dimension is an expected one, but of another place."""
    got, want = failure.got.double(), failure.want.double()
    sentences = []
    for axis, size in enumerate(want.shape):
        if not 1 < size <= 24 or got.numel() <= size or failure.got.dtype == torch.bool:
            continue
        mine, theirs = got.unbind(axis), want.unbind(axis)
        places = [next((at for at, line in enumerate(theirs) if close(each, line)), None) for each in mine]
        places = [at if close(each, theirs[at]) else place for at, (each, place) in enumerate(zip(mine, places))]
        if None not in places and places != list(range(size)):
            start = f"Along {failure.axis(axis)} each entry is an expected one, but of another place"
            order = f"in the places 0 to {size - 1} stand {', '.join(map(str, places))}"
            sentences += [f"{start}: {'the same one everywhere' if len(set(places)) == 1 else order}.", f"{start}."]
    return sentences


def _rows(failure: Failure) -> list[str]:
    """Each line along a dimension is right but for a factor, or a number added, or both, of its own."""
    got, want = failure.got.double(), failure.want.double()
    sentences: list[str] = []
    if not (got.isfinite().all() and want.isfinite().all()):
        return sentences
    for axis in reversed(range(want.ndim)):
        if want.shape[axis] < 3 or want.ndim < 2:
            continue
        along, scale = f"Along {failure.axis(axis)}", (want * want).sum(axis, keepdim=True)
        factor = (got * want).sum(axis, keepdim=True) / scale
        if (scale > 0).all() and close(got, factor * want):
            sentences.append(f"{along} the proportions are right, but each row is off by a factor of its own.")
        if close(got, want + (got - want).mean(axis, keepdim=True)):
            sentences.append(f"{along} the differences are right, but each row is shifted by a number of its own.")
        mine, theirs = (each - each.mean(axis, keepdim=True) for each in (got, want))
        factor = (mine * theirs).sum(axis, keepdim=True) / (theirs * theirs).sum(axis, keepdim=True)
        varied = all(len(set(line)) > 3 for line in want.movedim(axis, -1).flatten(0, -2).tolist())
        if varied and close(mine, factor * theirs):
            sentences.append(f"{along} each row is right but for a factor and a shift of its own: mean or spread?")
    return sentences


# Which entries are wrong.


def _part(failure: Failure) -> list[str]:
    """Which entries alone are wrong: of some lines along a dimension, on, above or below the diagonal."""
    wrong = failure.wrong
    if wrong.all() or not wrong.any() or wrong.numel() < 3:
        return []
    sentences = []
    if wrong.ndim >= 2 and wrong.shape[-1] == wrong.shape[-2] > 1:
        rows, columns = torch.meshgrid(*(torch.arange(size) for size in wrong.shape[-2:]), indexing="ij")
        flat = wrong.flatten(0, -3).any(0) if wrong.ndim > 2 else wrong
        off = columns - rows
        for words, where in (
            *(("on", off == 0), ("right above", off == 1), ("right below", off == -1)),
            *(("above", off > 0), ("below", off < 0)),
        ):
            if not (flat & ~where).any():
                sentences.append(f"Only entries {words} the diagonal are wrong.")
    for axis in range(wrong.ndim):
        others = [other for other in range(wrong.ndim) if other != axis]
        lines = wrong.any(dim=others) if others else wrong
        if not lines.all():
            sentences += [f"Along {failure.axis(axis)} {words}." for words in _lines(lines.tolist())]
    return sentences


def _lines(wrong: list[bool]) -> list[str]:
    """Which of some lines are wrong, in words."""
    places, size = [at for at, each in enumerate(wrong) if each], len(wrong)
    half = size // 2 if size % 2 == 0 else -1
    known = {
        "only the first entry is wrong": [0],
        "only the last entry is wrong": [size - 1],
        "only the first entry is right": list(range(1, size)),
        "only the last entry is right": list(range(size - 1)),
        "every second entry is wrong, from the first on": list(range(0, size, 2)),
        "every second entry is wrong, from the second on": list(range(1, size, 2)),
        "the first half is wrong": list(range(half)),
        "the second half is wrong": list(range(half, size)),
    }
    first, last = places[0], places[-1]
    sentences = [words for words, which in known.items() if which == places]
    if 0 < first and last < size - 1 and size > 3:
        sentences.append("the first and the last entry are right, and some between them are wrong")
    return sentences


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
    if off == 0:
        return ""
    if close(got, want.bfloat16().double()) or close(got, got.bfloat16().double()) and off < 8e-3:
        return "It is right to 2 or 3 digits, as numbers are that were bfloat16 on their way."
    if close(got, want.half().double()):
        return "It is right to 3 digits, as numbers are that were float16 on their way."
    if off > 2e-3:
        return ""
    if off < 1e-5:
        return "It is right to about 6 digits, and wrong behind them, as numbers are that were float32 on their way."
    return "It is nearly right: no entry is off by more than 0.2 % of the largest."


RELATIONS: tuple[Relation, ...] = (
    *(_of_an_input, _transformed, _shifted, _order, _part, _moved, _elsewhere, _rows, _where_zero, _nearly),
)
