"""What the reference would have to be given, or be without, to answer as the code under test does.

Each change of an argument, a parameter, an option or a part is tried on the reference's like call. Where its answer
then is the wrong one of the code under test, on every example that fails, the change is a true statement about that
code.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .operations import Changed, edits
from .replay import Replay
from .values import alike

MOST = 500  # changes that are tried on the first failure; the others see only those that fit there
COSTLY = 150  # the same, of a call that copies a module each time
PARTS = 24  # of a module that are looked at, at most
Table = tuple[tuple[str, Callable[[Any], Any]], ...]  # what is changed in a value, in words

INTEGERS: Table = (
    ("for {} = 0, whatever it is", lambda v: 0),
    ("for {} = 1, whatever it is", lambda v: 1),
    ("for {} + 1", lambda v: v + 1),
    ("for {} − 1", lambda v: v - 1),
    ("for 2·{}", lambda v: 2 * v),
)
FLOATS: Table = (
    ("for {} = 0, whatever it is", lambda v: 0.0),
    ("for {} = 1, whatever it is", lambda v: 1.0),
    ("for 1 − {}", lambda v: 1 - v),
    ("for 1/{}", lambda v: 1 / v),
    ("for √{}", lambda v: v**0.5),
    ("for {}²", lambda v: v**2),
    ("for −{}", lambda v: -v),
)
MASKS: Table = (
    ("if True and False are exchanged in `{}`", lambda v: ~v),
    ("if `{}` is False everywhere", torch.zeros_like),
    ("if `{}` is True everywhere", torch.ones_like),
)
IDS: Table = (
    ("if every number of `{}` is 1 smaller", lambda v: (v - 1).clamp(min=0)),
    ("if every number of `{}` is 1 larger", lambda v: v + 1),
    ("if every number of `{}` is 0", torch.zeros_like),
)
TENSORS: Table = (
    ("if `{}` is nothing but zeros: as if it were not used", torch.zeros_like),
    ("if `{}` is nothing but ones", torch.ones_like),
    ("if `{}` has the other sign", lambda v: -v),
    ("if `{}` goes through a softmax first", lambda v: v.softmax(-1)),
    ("if `{}` goes through a logarithm of the softmax first", lambda v: v.log_softmax(-1)),
    ("if `{}` is divided by the root of its last size first", lambda v: v / v.shape[-1] ** 0.5),
    ("if `{}` is multiplied by the root of its last size first", lambda v: v * v.shape[-1] ** 0.5),
    ("if the mean is taken off `{}` first", lambda v: v - v.mean(-1, keepdim=True)),
    ("if `{}` is normalised first", lambda v: (v - v.mean(-1, keepdim=True)) / v.std(-1, keepdim=True)),
    ("for the square of `{}`", torch.square),
    ("for twice `{}`", lambda v: 2 * v),
    ("for `{}` without its sign", torch.abs),
    ("for the exponential of `{}`", torch.exp),
    ("for the logarithm of `{}`", torch.log),
)
PARAMETERS: Table = (
    ("if `{}` is not used (as if it were 0)", torch.zeros_like),
    ("if `{}` is not used (as if it were 1)", torch.ones_like),
    ("if `{}` has the other sign", lambda v: -v),
    ("if `{}` is used twice", lambda v: 2 * v),
    ("if `{}` is squared", torch.square),
    ("if `{}` is used as 1 plus itself", lambda v: 1 + v),
)


def interventions(failures: Sequence[Replay]) -> Iterator[str]:
    """The first change that explains every failure, as a sentence."""
    evidence = sum(_entries(replay.want) for replay in failures)
    if not failures or evidence < 3 or any(replay.nondeterministic for replay in failures):
        return  # of a single number anything may be the reason
    for words, changed in itertools.islice(_changes(failures[0]), COSTLY if failures[0].costly else MOST):
        if all(_fits(replay, changed) for replay in failures):
            yield f"It is what comes out {words}." if not words.startswith("It ") else words
            return


def _entries(value: Any) -> int:
    """How much there is to compare."""
    if isinstance(value, tuple):
        return sum(map(_entries, value))
    return value.numel() if isinstance(value, Tensor) else len(value) if isinstance(value, (list, str, bytes)) else 1


def _fits(replay: Replay, changed: Changed) -> bool:
    with contextlib.suppress(Exception):
        return alike(changed(replay), replay.got) and not alike(replay.got, replay.want)
    return False


def _changes(replay: Replay) -> Iterator[tuple[str, Changed]]:
    """Words with what gives the answer of a like call so changed."""
    parameters = replay.reference.parameters()
    yield from _exchanged(replay.arguments)
    yield from () if replay.costly else _exchanged(parameters)
    for name, value in parameters.items():
        for words, change in (*PARAMETERS, *_transposed(value)):
            yield words.format(name), _with(name, change)
    for name, value in (replay.arguments | replay.reference.options()).items():
        for words, change in _of_value(value):
            yield words.format(name), _with(name, change)
    if (module := replay.reference.module) is not None:
        words, training = ("in eval mode", False) if module.training else ("in training", True)
        yield words, lambda r: r.ask(r.reference, {"training": training})
    yield from _of_functions(replay)
    yield from _of_parts(replay)
    yield from edits(replay)


def _with(name: str, change: Callable[[Any], Any]) -> Changed:
    return lambda replay: replay.ask(replay.reference, {name: change(_value(replay, name))})


def _value(replay: Replay, name: str) -> Any:
    """An argument, a parameter or an option, as it is."""
    values = replay.reference.options() | replay.reference.parameters() | replay.arguments
    return values[name].detach().clone() if isinstance(values[name], Tensor) else values[name]


def _of_value(value: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Changes of an argument or an option, each with the words for it."""
    if isinstance(value, bool):
        yield f"for {{}} = {not value}", lambda v: not v
    elif isinstance(value, (int, float)):
        yield from INTEGERS if isinstance(value, int) else FLOATS
    elif isinstance(value, tuple) and all(isinstance(part, (int, float)) for part in value):
        for at in range(len(value) - 1):
            words = f"if entries {at} and {at + 1} of {{}} are exchanged"
            yield words, lambda v, at=at: (*v[:at], v[at + 1], v[at], *v[at + 2 :])  # type: ignore[misc]
    elif isinstance(value, Tensor) and value.numel():
        yield from MASKS if value.dtype == torch.bool else TENSORS if value.is_floating_point() else IDS
        yield from _transposed(value)
        for axis in (axis for axis in range(value.ndim) if value.shape[axis] > 1):
            along = "the last dimension" if axis == value.ndim - 1 else f"dimension {axis}"
            yield f"if `{{}}` is in reverse order along {along}", partial(torch.flip, dims=(axis,))
            yield f"if `{{}}` is moved one place on along {along}", partial(torch.roll, shifts=1, dims=axis)
            yield f"if `{{}}` is moved one place back along {along}", partial(torch.roll, shifts=-1, dims=axis)


def _transposed(value: Tensor) -> Table:
    square = value.ndim > 1 and value.shape[-1] == value.shape[-2] > 1
    return (("if `{}` is transposed", lambda v: v.transpose(-1, -2)),) if square else ()


def _exchanged(values: dict[str, Any]) -> Iterator[tuple[str, Changed]]:
    """Two arguments, or two parameters, that stand for each other."""
    for left, right in itertools.combinations(values, 2):
        if _interchangeable(values[left], values[right]):
            yield f"if `{left}` and `{right}` are exchanged", _in_place({left: right, right: left})
            if isinstance(values[left], Tensor):  # numbers are equal by chance too often
                yield f"if `{left}` is used in place of `{right}` too", _in_place({right: left})
                yield f"if `{right}` is used in place of `{left}` too", _in_place({left: right})


def _in_place(names: dict[str, str]) -> Changed:
    return lambda replay: replay.ask(replay.reference, {lost: _value(replay, used) for lost, used in names.items()})


def _interchangeable(left: Any, right: Any) -> bool:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return left.shape == right.shape and left.dtype == right.dtype and not torch.equal(left, right)
    return type(left) is type(right) and isinstance(left, (int, float)) and left != right


# Parts of the reference, and functions that it uses, left out or applied twice.

Hook = Callable[[Any, Any, Any], Any]
HOOKS: tuple[tuple[str, Hook], ...] = (
    ("without `{}`", lambda module, inputs, output: inputs[0]),
    ("if `{}` gives nothing but zeros", lambda module, inputs, output: torch.zeros_like(output)),
    ("if `{}` is applied twice", lambda module, inputs, output: type(module).forward(module, output)),
    ("if what `{}` gets is added to what it gives", lambda module, inputs, output: output + inputs[0]),
    ("if what `{}` gives is doubled", lambda module, inputs, output: 2 * output),
)


def _of_parts(replay: Replay) -> Iterator[tuple[str, Changed]]:
    """Parts of a module; those of one name in several blocks also together."""
    owner = replay.reference.module
    modules = owner.named_modules() if isinstance(owner, nn.Module) else ()
    paths = [path for path, module in modules if path and not isinstance(module, nn.ModuleList)]
    groups = {path: [path] for path in paths[:PARTS]}
    for path in paths:
        last = path.rpartition(".")[2]
        same = [other for other in paths if other.rpartition(".")[2] == last]
        if len(same) > 1 and not last.isdigit():
            groups.setdefault(f"{last} (in every block)", same)
    for name, members in groups.items():
        for words, hook in HOOKS:
            yield words.format(name), _hooked(members, hook)


def _hooked(paths: Sequence[str], hook: Hook) -> Changed:
    def ask(replay: Replay) -> Any:
        module = replay.reference.module
        assert module is not None
        with ExitStack() as stack:
            for path in paths:
                handle = module.get_submodule(path).register_forward_hook(hook)
                stack.callback(handle.remove)
            return replay.ask(replay.reference)

    return ask


def _of_functions(replay: Replay) -> Iterator[tuple[str, Changed]]:
    """Functions of this or an earlier kata that the reference uses."""
    function = inspect.unwrap(replay.reference.function)
    scope = getattr(function, "__globals__", {})
    for name in function.__code__.co_names:
        value = scope.get(name)
        if inspect.isfunction(value) and inspect.unwrap(value) is not function:
            yield f"without `{name}`", _replaced(scope, name, _first)
            yield f"if `{name}` is applied twice", _replaced(scope, name, _again(value))


def _first(*arguments: Any, **named: Any) -> Any:
    return next(value for value in (*arguments, *named.values()) if isinstance(value, Tensor))


def _again(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda first, *rest, **named: function(function(first, *rest, **named), *rest, **named)


def _replaced(scope: dict[str, Any], name: str, function: Callable[..., Any]) -> Changed:
    def ask(replay: Replay) -> Any:
        with _swapped(scope, name, function):
            return replay.ask(replay.reference)

    return ask


@contextmanager
def _swapped(scope: dict[str, Any], name: str, function: Callable[..., Any]) -> Iterator[None]:
    """Have a name stand for another function meanwhile."""
    before, scope[name] = scope[name], function
    try:
        yield
    finally:
        scope[name] = before
