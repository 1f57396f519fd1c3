"""On what an answer depends: calls are made again with one thing changed, of the code under test and the reference;
and which simple values of an argument or a parameter make the answer right."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .replay import Implementation, Replay
from .values import alike, plain

FEW = 2  # failures that are looked at of a call that copies a module each time


@dataclass(frozen=True)
class Fact:
    """Whether the answer depends on something, with the sentences where it should not and where it should."""

    depends: bool
    too_much: str
    too_little: str


def dependences(failures: Sequence[Replay]) -> Iterator[str]:
    """Sentences that hold on every failure in which they can be seen, at least once."""
    kept: dict[str, None] = {}
    contradicted: set[str] = set()
    for replay in failures[: FEW if failures[0].costly else None]:
        with contextlib.suppress(Exception):
            if sentence := _from_call_to_call(replay):
                kept[sentence] = None
                continue
            got, want = _facts(replay, replay.own), _facts(replay, replay.reference)
            for key, fact in got.items():
                if key not in want:
                    continue
                sentence = fact.too_much if fact.depends else fact.too_little
                if fact.depends != want[key].depends:
                    kept[sentence] = None
                else:
                    contradicted |= {fact.too_much, fact.too_little}
    # Where it is as it should be in some failing example, it is not the reason there.
    yield from sorted(
        (each for each in kept if each not in contradicted), key=lambda sentence: "at all" not in sentence
    )


def _from_call_to_call(replay: Replay) -> str:
    if not alike(replay.ask(replay.own), replay.ask(replay.own)):
        return "It changes from call to call, though nothing else does: something is kept."
    return ""


def _facts(replay: Replay, side: Implementation) -> dict[str, Fact]:
    base = replay.ask(side)
    facts = {}
    values = replay.arguments if replay.costly and not replay.what else replay.arguments | replay.reference.parameters()
    for name, value in values.items():
        for other in _others(value):
            with contextlib.suppress(Exception):
                facts[name] = Fact(
                    not alike(base, replay.ask(side, {name: other})),
                    f"It changes with `{name}`, and it should not.",
                    f"It does not change with `{name}` at all.",
                )
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            with contextlib.suppress(Exception):
                facts |= _along_axes(replay, side, name, value, base)
    return facts


def _others(value: Any) -> list[Any]:
    """Another value of its kind."""
    if isinstance(value, Tensor) and value.numel():
        return [_moved(value.detach())]
    if isinstance(value, bool):
        return [not value]
    return [value + 1] if isinstance(value, int) else [value * 0.7 + 0.1] if isinstance(value, float) else []


def _moved(value: Tensor) -> Tensor:
    if value.dtype == torch.bool:
        return ~value
    if not value.is_floating_point():
        return value.max() - value if value.min() >= 0 else value - 1  # ids stay ids
    noise = torch.linspace(0.3, 1.7, value.numel(), dtype=value.dtype).reshape(value.shape)
    return value + noise


def _along_axes(replay: Replay, side: Implementation, name: str, value: Tensor, base: Any) -> dict[str, Fact]:
    """Whether entries of the answer depend on later, or earlier, entries of an argument along a dimension."""
    facts: dict[str, Fact] = {}
    answer = base[0] if isinstance(base, tuple) else base
    if not isinstance(answer, Tensor) or not value.ndim:
        return facts
    if answer.numel() == 1:
        return _slices(replay, side, name, value, answer)
    for axis in range(min(value.ndim, answer.ndim)):
        size = value.shape[axis]
        if size < 2 or answer.shape[axis] != size or (axis == value.ndim - 1 and value.is_floating_point()):
            continue
        for at, start, words in zip((-1, 0), (0, 1), _words(axis, value, replay.sizes)):
            other = value.detach().clone()
            other.select(axis, at).copy_(_moved(value.detach()).select(axis, at))
            result = replay.ask(side, {name: other})
            moved = result[0] if isinstance(result, tuple) else result
            rest = [each.narrow(axis, start, size - 1) for each in (answer, moved)]
            facts[f"{name} {axis} {at}"] = Fact(
                not alike(*rest),
                f"It changes with {words} of `{name}`, and it should not.",
                f"It does not change with {words} of `{name}`, and it should.",
            )
    return facts


def _slices(replay: Replay, side: Implementation, name: str, value: Tensor, answer: Tensor) -> dict[str, Fact]:
    """Whether a single number depends on the first, and the last, entry of an argument along each dimension."""
    facts: dict[str, Fact] = {}
    for axis, size in enumerate(value.shape):
        for at, words in ((0, "first"), (-1, "last")) if size > 1 else ():
            other = value.detach().clone()
            other.select(axis, at).copy_(_moved(value.detach()).select(axis, at))
            sizes = [label for label, each in replay.sizes.items() if each == size]
            along = sizes[0] if len(sizes) == 1 else f"dimension {axis}"
            facts[f"{name} {axis} {at}"] = Fact(
                not alike(answer, replay.ask(side, {name: other})),
                f"It changes with the {words} entry of `{name}` along {along}, and it should not.",
                f"It does not change with the {words} entry of `{name}` along {along}, and it should.",
            )
    return facts


def _words(axis: int, value: Tensor, sizes: Mapping[str, int]) -> tuple[str, str]:
    """What a later and an earlier entry along a dimension is called."""
    names = [name for name, size in sizes.items() if size == value.shape[axis]]
    names = [name for name in names if name in ("B", "N", "T", "h")] or names
    if len(names) > 1 or (not names and axis < 2):
        names = [name for name, at in (("B", 0), ("T", 1), ("T", 0)) if name in (names or sizes) and at == axis][:1]
    known = {
        "B": ("another row of the batch",) * 2,
        "N": ("another row",) * 2,
        "T": ("a later token", "an earlier token"),
        "h": ("another head",) * 2,
    }
    if len(names) == 1 and names[0] in known:
        return known[names[0]]
    if axis == 0 and value.ndim > 1:
        return ("another row of the batch",) * 2 if value.ndim > 2 else ("another row",) * 2
    return (f"a later entry along dimension {axis}", f"an earlier entry along dimension {axis}")


def gradients(replay: Replay) -> Iterator[str]:
    """Sentences on what comes back through a call whose answer is right."""
    got, want = (_gradients(replay, side) for side in (replay.own, replay.reference))
    for name, expected in want.items():
        if name not in got or expected is None:
            continue
        gradient = got[name]
        if gradient is None or (not gradient.any() and expected.any()):
            yield f"What it gives is right, but no gradient reaches `{name}`."
        elif not alike(plain(gradient), plain(expected)):
            yield f"What it gives is right, but the gradient of `{name}` is not."


def _gradients(replay: Replay, side: Implementation) -> dict[str, Tensor | None]:
    """The gradient of each argument and parameter, None where none arrives."""
    leaves = {
        name: value.detach().clone().requires_grad_()
        for name, value in replay.arguments.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    positional = [leaves.get(name, value) for name, value in zip(replay.names, side.positional)]
    named = {name: leaves.get(name, value) for name, value in side.named.items()}
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        result = side.function(*positional, **named)
        tensors = [each for each in (result if isinstance(result, tuple) else [result]) if isinstance(each, Tensor)]
        parameters = {name: value for name, value in side.parameters().items() if value.requires_grad}
        wanted = leaves | parameters
        probes = [torch.linspace(0.5, 1.5, each.numel(), dtype=each.dtype).reshape(each.shape) for each in tensors]
        total = sum((tensor * probe).sum() for tensor, probe in zip(tensors, probes))
        if not isinstance(total, Tensor) or not total.requires_grad:
            return dict.fromkeys(wanted)
        return dict(zip(wanted, torch.autograd.grad(total, list(wanted.values()), allow_unused=True)))


# What makes it right.

SIMPLE: dict[type, tuple[tuple[str, Callable[[Any], Any]], ...]] = {  # tensors that are parameters
    nn.Parameter: (("is nothing but ones", torch.ones_like),),
    float: (("is 0", lambda value: 0.0), ("is 1", lambda value: 1.0)),
    int: (("is 1", lambda value: 1),),
}


RATES = ("p", "dropout", "rate")  # which leave nothing that could be wrong


def right_when(failures: Sequence[Replay]) -> Iterator[str]:
    """What makes the answer right on every failure: a single row, a simple value of an argument or a parameter."""
    first = failures[0]
    batches = [n for n, v in first.arguments.items() if isinstance(v, Tensor) and v.ndim > 1 and v.shape[0] > 1]
    alone = {name: lambda value: value[:1] for name in batches}
    if batches and all(_rows_are_apart(replay, batches) and _is_right(replay, alone) for replay in failures):
        yield "It is right for the first row of the batch alone: rows have to do with each other, and should not."
        return
    parameters = first.reference.parameters()
    for name, value in {**first.reference.options(), **first.arguments, **parameters}.items():
        for words, change in SIMPLE.get(nn.Parameter if name in parameters else type(value), ()):
            if name.rpartition(".")[2] in RATES:
                continue
            if all(_is_right(replay, {name: change}) for replay in failures):
                yield f"It is right when `{name}` {words}, and wrong otherwise: look at where `{name}` is used."
                return


def _rows_are_apart(replay: Replay, names: Sequence[str]) -> bool:
    """Whether what the reference gives for the first row is the same without the others."""
    with contextlib.suppress(Exception):
        want = replay.ask(replay.reference, {name: replay.arguments[name][:1] for name in names})
        return alike(want, replay.want[:1])
    return False


def _is_right(replay: Replay, changes: Mapping[str, Callable[[Any], Any]]) -> bool:
    """Whether both codes then give the same, and something that is no constant."""
    with contextlib.suppress(Exception):
        values = replay.reference.options() | replay.reference.parameters() | replay.arguments
        changed = {n: change(v.detach() if isinstance(v := values[n], Tensor) else v) for n, change in changes.items()}
        want = replay.ask(replay.reference, changed)
        varies = isinstance(want, Tensor) and want.numel() > 2 and bool((want != want.flatten()[0]).any())
        varies = varies and bool(want[~want.isinf()].isfinite().all())
        same = all(alike(plain(values[name]), plain(value)) for name, value in changed.items())
        return varies and not same and alike(replay.ask(replay.own, changed), want)
    return False
