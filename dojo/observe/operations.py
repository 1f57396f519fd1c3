"""Single operations of the reference's like call, left out or done otherwise.

The reference is run with every operation of torch that it calls counted; then again with one of them changed. What it
then answers is compared with the wrong answer by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .replay import Replay
from .values import plain

OPERATIONS = 40  # of one call that are looked at, at most
Changed = Callable[[Replay], Any]  # the reference's answer with a change
Sizes = Mapping[str, float]
Mutation = Callable[[Any, Any, Any, Sizes], Any]  # the result of an operation, of its function, arguments and the sizes
Number = Callable[[Sizes, float], float]  # a plain number, of the sizes and the one that belongs
PLAIN = """softmax log_softmax mean sum square tanh clamp triu tril abs argmax gather logsumexp roll sort topk norm relu
    sigmoid sin cos flip where dropout cross_entropy nll_loss gelu silu softplus elu diagonal cumprod round floor min
    outer multinomial"""
WORDS = {
    "a division": ("truediv", "div", "div_", "itruediv", "rtruediv", "divide"),
    "a multiplication": ("mul", "mul_", "rmul", "imul", "multiply"),
    "an addition": ("add", "add_", "radd", "iadd", "addcmul"),
    "a subtraction": ("sub", "sub_", "rsub", "isub"),
    "a matrix product": ("matmul", "mm", "bmm", "addmm", "baddbmm", "einsum"),
    "the power": ("pow", "pow_", "rpow"),
    "the change of sign": ("neg", "negative"),
    "the maximum": ("max", "amax", "maximum"),
    "the running mean": ("lerp", "lerp_"),
    "the mask": ("masked_fill", "masked_fill_"),
    "a transpose": ("transpose", "permute", "swapaxes"),
    "the deviation": ("std",),
    "the variance": ("var",),
    "the inverse root": ("rsqrt",),
    "the square root": ("sqrt",),
    "the logarithm": ("log", "log1p"),
    "the exponential": ("exp",),
    "the running sum": ("cumsum",),
    "a linear layer": ("linear",),
    "a lookup in the table": ("embedding",),
    "the layer norm": ("layer_norm",),
    "the comparison": ("gt", "lt", "ge", "le", "eq", "ne"),
    "the joining": ("cat", "stack"),
} | {f"the {name}": (name,) for name in PLAIN.split()}
KNOWN = {name: words for words, names in WORDS.items() for name in names}
INSTEAD: dict[str, Callable[..., Any]] = {
    **{"sin": torch.cos, "cos": torch.sin, "sum": torch.mean, "mean": torch.sum, "triu": torch.tril, "max": torch.min},
    **{"tril": torch.triu, "amax": torch.amin, "argmax": torch.argmin, "softmax": torch.sigmoid, "tanh": torch.sigmoid},
    **{"gt": torch.ge, "lt": torch.le, "ge": torch.gt, "le": torch.lt, "std": torch.var, "relu": torch.abs},
    **{"norm": torch.sum, "exp": torch.sigmoid, "sqrt": torch.abs},
}
SIGNS = {
    "+": WORDS["an addition"],
    "−": WORDS["a subtraction"],
    "×": WORDS["a multiplication"],
    "/": WORDS["a division"],
    "**": WORDS["the power"],
}
AXES = ("softmax", "log_softmax", "mean", "sum", "cumsum", "amax", "argmax", "logsumexp", "var", "std", "flip", "sort")
MIRRORED = ("radd", "rmul", "iadd", "isub", "imul", "itruediv")  # as the operation without the letter
SIDES = ("add", "sub", "mul", "truediv", "div", "matmul", "rmul", "radd", "gt", "lt", "ge", "le", "pow")
ARITHMETIC = ((torch.add, "plus"), (torch.sub, "minus"), (torch.mul, "times"), (torch.div, "divided by"))


@dataclass
class TracedCall:
    """An operation that was called."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


@dataclass
class _Watched(TorchFunctionMode):
    """Writes down the operations that are called, and has one of them done otherwise."""

    sizes: Sizes = field(default_factory=dict)
    at: int = -1
    change: Mutation | None = None
    steps: list[TracedCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        name = plain_name(function)
        if name not in KNOWN:
            return function(*args, **kwargs)
        number = len(self.steps)
        self.steps.append(TracedCall(name, args, kwargs, None))
        if self.change is not None and number == self.at:
            return self.change(function, args, kwargs, self.sizes)
        result = function(*args, **kwargs)
        self.steps[number].result = result.detach().clone() if isinstance(result, Tensor) else result
        return result


def plain_name(function: Any) -> str:
    """What an operation is called, however it is written."""
    name: str = getattr(function, "__name__", "")
    name = name.strip("_") if name.startswith("__") else name
    return name[1:] if name in MIRRORED else name


def in_words(steps: Sequence[TracedCall], number: int, sizes: Sizes) -> str:
    """An operation as a learner reads it, and which of several it is."""
    step = steps[number]
    if step.name not in KNOWN:
        return f"`{step.name}`"
    return _written(step, sizes) or KNOWN[step.name] + _which(number, steps)


def edits(replay: Replay) -> Iterator[tuple[str, Changed]]:
    """Sentences with what gives the answer of a like call so changed; the plainest changes first."""
    with _Watched() as watch:
        answer = replay.ask(replay.reference)
    steps = watch.steps[:OPERATIONS]
    named = [in_words(watch.steps, number, replay.sizes) for number in range(len(steps))]
    for ways in (_left_out, _otherwise, _with_other_numbers):
        for number, step in enumerate(steps):
            for words, change in ways(step, replay.sizes):
                yield words.format(named[number]), _edited(number, change)
    for number, step in enumerate(steps):
        if isinstance(step.result, Tensor) and isinstance(answer, Tensor) and step.result.shape == answer.shape:
            yield f"It is what there is after {named[number]} already; what should follow is missing.", _after(number)


def _written(step: TracedCall, sizes: Sizes) -> str:
    """An operation with a plain number, as it is written; nothing for others."""
    sign = next((sign for sign, names in SIGNS.items() if step.name in names), "")
    numbers = [value for value in step.args[:2] if type(value) in (int, float)]
    if not sign or len(numbers) != 1:
        return ""
    shown = f"{numbers[0]:.3g}"
    for name, size in sizes.items():
        if size > 1 and abs(numbers[0] - size**0.5) < 1e-9 and size**0.5 % 1:
            shown = f"√{name}"
        elif isinstance(size, float) and size == numbers[0]:
            shown = name
    if step.name.startswith("r") and step.name in ("rsub", "rtruediv"):
        return f"the “{shown} {sign} …”"
    return f"the “{sign} {shown}”" if step.name not in ("pow", "pow_") else f"the power “**{shown}”"


def _which(number: int, steps: Sequence[TracedCall]) -> str:
    """Which of several like operations, in words."""
    alike = [at for at, step in enumerate(steps) if KNOWN.get(step.name) == KNOWN[steps[number].name]]
    if len(alike) == 1:
        return ""
    ordinals = {0: "the first", len(alike) - 1: "the last"}
    return f" ({ordinals.get(alike.index(number), f'number {alike.index(number) + 1}')} of {len(alike)})"


def _edited(number: int, change: Mutation) -> Changed:
    """With one step done otherwise."""

    def run(replay: Replay) -> Any:
        with _Watched(replay.sizes, number, change):
            return replay.ask(replay.reference)

    return run


def _after(number: int) -> Changed:
    def run(replay: Replay) -> Any:
        with _Watched() as watch:
            replay.ask(replay.reference)
        return plain(watch.steps[number].result)

    return run


def _left_out(step: TracedCall, sizes: Sizes) -> Iterator[tuple[str, Mutation]]:
    result = step.result
    for at, words in ((0, "without {}"), (1, "if of {} only the second part is taken")):
        part = step.args[at] if len(step.args) > at else None
        if isinstance(part, Tensor) and isinstance(result, Tensor) and part.shape == result.shape:
            yield words, _only(at)
    if step.name == "where" and len(step.args) == 3:
        yield "if {} always takes the first choice", lambda f, a, k, s: a[1] + torch.zeros_like(f(*a))
        yield "if {} always takes the second choice", lambda f, a, k, s: a[2] + torch.zeros_like(f(*a))
        yield "if {} takes the two choices the other way round", lambda f, a, k, s: f(a[0], a[2], a[1])
    if step.name.startswith("masked_fill"):
        yield (
            "if {} hides what it should show, and shows what it should hide",
            lambda f, a, k, s: f(a[0], ~a[1], *a[2:]),
        )
        yield "if {} is transposed", lambda f, a, k, s: f(a[0], a[1].transpose(-1, -2), *a[2:])


def _otherwise(step: TracedCall, sizes: Sizes) -> Iterator[tuple[str, Mutation]]:
    name, args, kwargs = step.name, step.args, step.kwargs
    first = args[0] if args else None
    if name in ("add", "sub", "mul", "truediv", "div") and len(args) > 1:
        for function, words in ARITHMETIC:
            yield f"with “{words}” in place of {{}}", _with_both(function)
    if name in SIDES and len(args) > 1:
        yield "if the two sides of {} are exchanged", lambda f, a, k, s: f(a[1], a[0])
    if name in INSTEAD:
        new = INSTEAD[name]
        yield f"with `{new.__name__}` in place of {{}}", lambda f, a, k, s: _values(new(*a, **k))
    if name in ("cat", "stack"):
        yield "if the parts of {} come in the other order", lambda f, a, k, s: f(list(a[0])[::-1], *a[1:], **k)
    axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if type(axis) is int and isinstance(first, Tensor) and name in AXES:
        for other in range(first.ndim):
            if other != axis % first.ndim:
                yield f"with {{}} along dimension {other}", _along(other)
        yield "with {} over everything at once", lambda f, a, k, s: _over_all(f, a[0])
    if name in ("triu", "tril"):
        for diagonal in (-1, 0, 1, 2):
            yield f"with {{}} from diagonal {diagonal} on", _from_diagonal(diagonal)
    if name in ("var", "std"):
        for correction in (0, 1):
            words = f"if {{}} divides by {'n − 1' if correction else 'n'}"
            yield words, _corrected(correction)


def _only(at: int) -> Mutation:
    return lambda function, args, kwargs, sizes: args[at]


def _with_both(new: Callable[..., Any]) -> Mutation:
    return lambda function, args, kwargs, sizes: new(args[0], args[1])


def _from_diagonal(diagonal: int) -> Mutation:
    return lambda function, args, kwargs, sizes: function(args[0], diagonal=diagonal)


def _corrected(correction: int) -> Mutation:
    return lambda function, args, kwargs, sizes: function(*args, **_without_correction(kwargs), correction=correction)


def _with_number(at: int, value: Number) -> Mutation:
    return lambda function, args, kwargs, sizes: function(*args[:at], value(sizes, args[at]), *args[at + 1 :], **kwargs)


def _size(name: str, power: float) -> Number:
    return lambda sizes, given: sizes[name] if power == 1 else float(sizes[name] ** power)


def _without_correction(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name not in ("unbiased", "correction")}


def _values(result: Any) -> Any:
    return result.values if hasattr(result, "values") and not isinstance(result, Tensor) else result


def _over_all(function: Any, value: Tensor) -> Tensor:
    if function in (torch.softmax, Tensor.softmax):
        return value.flatten().softmax(0).reshape(value.shape)
    result: Tensor = function(value.flatten(), 0)
    return result.reshape([1] * value.ndim)


def _along(axis: int) -> Mutation:
    def change(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], sizes: Sizes) -> Any:
        if "dim" in kwargs:
            return function(*args, **kwargs | {"dim": axis})
        return function(args[0], axis, *args[2:], **kwargs)

    return change


def _with_other_numbers(step: TracedCall, sizes: Sizes) -> Iterator[tuple[str, Mutation]]:
    """A plain number in an operation, and the numbers that may stand there instead."""
    at = next((at for at, value in enumerate(step.args) if type(value) in (int, float)), None)
    if at is None or len(step.args) != 2 or step.name in (*AXES, "transpose", "triu", "tril", "roll", "embedding"):
        return
    for words, value in _numbers(sizes, step.args[at]):
        yield (
            f"with {words} for the number in {{}}",
            _with_number(at, value),
        )


def _numbers(sizes: Sizes, given: float) -> Iterator[tuple[str, Number]]:
    for name in sizes:
        yield f"{name}", _size(name, 1)
        yield f"√{name}", _size(name, 0.5)
        yield f"1/{name}", _size(name, -1)
    yield "the square of the number that belongs", lambda s, g: g**2
    yield "the root of the number that belongs", lambda s, g: g**0.5
    yield "the number that belongs, upside down,", lambda s, g: 1 / g
    yield "1 less than the number that belongs", lambda s, g: g - 1
    yield "1 more than the number that belongs", lambda s, g: g + 1
    yield "1 minus the number that belongs", lambda s, g: 1 - g
    yield "twice the number that belongs", lambda s, g: 2 * g
    yield "half the number that belongs", lambda s, g: g / 2
    yield "0", lambda s, g: 0 * g
