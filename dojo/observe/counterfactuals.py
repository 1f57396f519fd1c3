"""What the reference would have to be given, or be without, to answer as the code under test does.

Each change of an argument, a parameter or an option is tried on the reference's like call. Where its answer then is the
wrong one of the code under test, on every example that fails, the change is a true statement about that code.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .bypasses import bypasses
from .operations import Changed, edits
from .twins import Twins, alike

MOST = 500  # changes that are tried on the first failure; the others see only those that fit there


def counterfactuals(failures: Sequence[Twins]) -> Iterator[str]:
    """Sentences that hold on every failure, the most telling first."""
    evidence = sum(_entries(twins.want) for twins in failures)
    if not failures or evidence < 3 or any(twins.fickle for twins in failures):
        return  # of a single number anything may be the reason
    for sentence, changed in itertools.islice(_changes(failures[0]), MOST):
        if all(_fits(twins, changed) for twins in failures):
            yield sentence
            return


def _entries(value: Any) -> int:
    """How much there is to compare."""
    if isinstance(value, tuple):
        return sum(map(_entries, value))
    return value.numel() if isinstance(value, Tensor) else len(value) if isinstance(value, (list, str, bytes)) else 1


def _fits(twins: Twins, changed: Changed) -> bool:
    with contextlib.suppress(Exception):
        return alike(changed(twins), twins.got) and not alike(twins.got, twins.want)
    return False


def _changes(twins: Twins) -> Iterator[tuple[str, Changed]]:
    yield from _exchanged(twins)
    yield "It is what comes out if everything is done twice, the second time with the answer.", _twice
    yield from _of_parameters(twins)
    for name, value in twins.arguments.items():
        for words, change in _of_value(name, value, twins):
            yield f"It is what comes out {words}.", _with_argument(name, change)
    yield from _of_options(twins)
    yield from bypasses(twins)
    yield from edits(twins)


def _twice(twins: Twins) -> Any:
    first = next(name for name, value in twins.arguments.items() if isinstance(value, Tensor))
    return twins.ask(twins.reference, {first: twins.want.to(twins.arguments[first].dtype)})


def _with_argument(name: str, change: Callable[[Any], Any]) -> Changed:
    return lambda twins: twins.ask(twins.reference, {name: change(twins.arguments[name])})


def _of_value(name: str, value: Any, twins: Twins) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Changes of an argument, each with the words for it."""
    if isinstance(value, bool):
        yield f"for {name} = {not value}", lambda v: not v
    elif isinstance(value, int):
        yield f"for {name} = 0, whatever it is", lambda v: 0
        yield f"for {name} = 1, whatever it is", lambda v: 1
        yield f"for {name} + 1", lambda v: v + 1
        yield f"for {name} − 1", lambda v: v - 1
        yield f"for 2·{name}", lambda v: 2 * v
    elif isinstance(value, float):
        yield f"for {name} = 0, whatever it is", lambda v: 0.0
        yield f"for {name} = 1, whatever it is", lambda v: 1.0
        yield f"for 1 − {name}", lambda v: 1 - v
        yield f"for 1/{name}", lambda v: 1 / v
        yield f"for √{name}", lambda v: v**0.5
        yield f"for {name}²", lambda v: v**2
        yield f"for −{name}", lambda v: -v
    elif isinstance(value, Tensor) and value.numel():
        yield from _of_tensor(name, value, twins)


def _of_tensor(name: str, value: Tensor, twins: Twins) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    if value.dtype == torch.bool:
        yield f"if True and False are exchanged in `{name}`", lambda v: ~v
        yield f"if `{name}` is False everywhere", torch.zeros_like
        yield f"if `{name}` is True everywhere", torch.ones_like
    elif value.is_floating_point():
        yield f"if `{name}` is nothing but zeros: as if it were not used", torch.zeros_like
        yield f"if `{name}` is nothing but ones", torch.ones_like
        yield f"if `{name}` has the other sign", lambda v: -v
        yield f"if `{name}` goes through a softmax first", lambda v: v.softmax(-1)
        yield f"if `{name}` goes through a logarithm of the softmax first", lambda v: v.log_softmax(-1)
        yield f"if `{name}` is divided by the root of its last size first", lambda v: v / v.shape[-1] ** 0.5
        yield f"if `{name}` is multiplied by the root of its last size first", lambda v: v * v.shape[-1] ** 0.5
        yield f"if the mean is taken off `{name}` first", lambda v: v - v.mean(-1, keepdim=True)
        yield f"if `{name}` is normalised first", lambda v: (v - v.mean(-1, keepdim=True)) / v.std(-1, keepdim=True)
        yield f"for the square of `{name}`", torch.square
        yield f"for twice `{name}`", lambda v: 2 * v
        yield f"for `{name}` without its sign", torch.abs
        yield f"for the exponential of `{name}`", torch.exp
        yield f"for the logarithm of `{name}`", torch.log
    else:
        yield f"if every number of `{name}` is 1 smaller", lambda v: (v - 1).clamp(min=0)
        yield f"if every number of `{name}` is 1 larger", lambda v: v + 1
        yield f"if every number of `{name}` is 0", torch.zeros_like
    if value.ndim > 1 and value.shape[-1] == value.shape[-2] > 1:
        yield f"if `{name}` is transposed", lambda v: v.transpose(-1, -2)
    for axis in range(value.ndim):
        if value.shape[axis] > 1:
            along = "the last dimension" if axis == value.ndim - 1 else f"dimension {axis}"
            yield f"if `{name}` is in reverse order along {along}", partial(torch.flip, dims=(axis,))
            yield f"if `{name}` is moved one place on along {along}", partial(torch.roll, shifts=1, dims=axis)
            yield f"if `{name}` is moved one place back along {along}", partial(torch.roll, shifts=-1, dims=axis)


def _exchanged(twins: Twins) -> Iterator[tuple[str, Changed]]:
    """Two arguments, or two parameters, that stand for each other."""
    names = [name for name, value in twins.arguments.items() if isinstance(value, (Tensor, int, float))]
    for left, right in itertools.combinations(names, 2):
        if _interchangeable(twins.arguments[left], twins.arguments[right]):
            yield (
                f"It is what comes out if `{left}` and `{right}` are exchanged.",
                _traded(left, right),
            )
            both = isinstance(twins.arguments[left], Tensor)  # numbers are equal by chance too often
            for used, lost in ((left, right), (right, left)) if both else ():
                yield (
                    f"It is what comes out if `{used}` is used in place of `{lost}` too.",
                    _taken(used, lost),
                )


def _traded(left: str, right: str) -> Changed:
    return lambda twins: twins.ask(twins.reference, {left: twins.arguments[right], right: twins.arguments[left]})


def _taken(used: str, lost: str) -> Changed:
    return lambda twins: twins.ask(twins.reference, {lost: twins.arguments[used]})


def _interchangeable(left: Any, right: Any) -> bool:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return left.shape == right.shape and left.dtype == right.dtype and not torch.equal(left, right)
    return type(left) is type(right) and not isinstance(left, Tensor) and left != right


def _of_parameters(twins: Twins) -> Iterator[tuple[str, Changed]]:
    parameters = twins.reference.parameters()
    for name, value in parameters.items():
        for words, change in (
            ("is not used (as if it were 0)", torch.zeros_like),
            ("is not used (as if it were 1)", torch.ones_like),
            ("has the other sign", lambda v: -v),
            ("is used twice", lambda v: 2 * v),
            ("is squared", torch.square),
            ("is used as 1 plus itself", lambda v: 1 + v),
        ):
            yield f"It is what comes out if `{name}` {words}.", _with_parameter(name, change)
        if value.ndim == 2 and value.shape[0] == value.shape[1] > 1:
            yield f"It is what comes out if `{name}` is transposed.", _with_parameter(name, torch.t)
    for left, right in itertools.combinations(parameters, 2):
        if parameters[left].shape != parameters[right].shape:
            continue
        yield f"It is what comes out if `{left}` and `{right}` are exchanged.", _swapped(left, right)
        for used, lost in ((left, right), (right, left)):
            yield f"It is what comes out if `{used}` is used in place of `{lost}` too.", _in_place(used, lost)


def _with_parameter(name: str, change: Callable[[Tensor], Tensor]) -> Changed:
    return lambda twins: twins.ask(twins.reference, {name: change(twins.reference.parameters()[name].detach())})


def _swapped(left: str, right: str) -> Changed:
    def ask(twins: Twins) -> Any:
        values = {name: value.detach().clone() for name, value in twins.reference.parameters().items()}
        return twins.ask(twins.reference, {left: values[right], right: values[left]})

    return ask


def _in_place(used: str, lost: str) -> Changed:
    return lambda twins: twins.ask(twins.reference, {lost: twins.reference.parameters()[used].detach().clone()})


def _of_options(twins: Twins) -> Iterator[tuple[str, Changed]]:
    """Numbers that the reference's module keeps, and its modes."""
    owner = twins.reference.owner
    if not isinstance(owner, nn.Module):
        return
    other = "training" if not owner.training else "eval mode"
    yield f"It is what comes out in {other}.", lambda t: _with_mode(t, not t.reference.owner.training)
    for path, module in owner.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_") or name == "training" or not isinstance(value, (int, float)):
                continue
            label = f"{path}.{name}" if path else name
            for words, change in _of_value(label, value, twins):
                yield f"It is what comes out {words}.", _with_attribute(path, name, change)


def _with_mode(twins: Twins, training: bool) -> Any:
    owner = twins.reference.owner
    before = owner.training
    try:
        owner.train(training)
        return twins.ask(twins.reference)
    finally:
        owner.train(before)


def _with_attribute(path: str, name: str, change: Callable[[Any], Any]) -> Changed:
    def ask(twins: Twins) -> Any:
        module = twins.reference.owner.get_submodule(path)
        before = getattr(module, name)
        try:
            setattr(module, name, change(before))
            return twins.ask(twins.reference)
        finally:
            setattr(module, name, before)

    return ask
