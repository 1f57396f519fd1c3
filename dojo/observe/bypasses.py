"""Parts of the reference, and functions that it uses, passed by: what it answers without them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .operations import Changed
from .twins import Twins

Hook = Callable[[Any, Any, Any], Any]
PARTS = 24  # of a module that are looked at, at most


def bypasses(twins: Twins) -> Iterator[tuple[str, Changed]]:
    """Sentences with what gives the answer of a like call so changed."""
    yield from _of_functions(twins)
    owner = twins.reference.owner
    if not isinstance(owner, nn.Module):
        return
    paths = [path for path, module in owner.named_modules() if path and not isinstance(module, nn.ModuleList)]
    groups = {path: [path] for path in paths[:PARTS]}
    for path in paths:
        last = path.rpartition(".")[2]
        like = [other for other in paths if other.rpartition(".")[2] == last]
        if len(like) > 1 and not last.isdigit():
            groups.setdefault(f"{last} (in every block)", like)
    for name, members in groups.items():
        for words, hook in HOOKS:
            yield f"It is what comes out {words.format(f'`{name}`')}.", _hooked(members, hook)


def _out(_: Any, inputs: Any, output: Any) -> Any:
    return inputs[0]


def _nothing(_: Any, inputs: Any, output: Any) -> Any:
    return torch.zeros_like(output)


def _twice(module: Any, inputs: Any, output: Any) -> Any:
    return type(module).forward(module, output)


def _added(_: Any, inputs: Any, output: Any) -> Any:
    return output + inputs[0]


HOOKS: tuple[tuple[str, Hook], ...] = (
    ("without {}", _out),
    ("if {} gives nothing but zeros", _nothing),
    ("if {} is applied twice", _twice),
    ("if what {} gets is added to what it gives", _added),
    ("if what {} gives is doubled", lambda module, inputs, output: 2 * output),
)


def _hooked(paths: Sequence[str], hook: Hook) -> Changed:
    def ask(twins: Twins) -> Any:
        with ExitStack() as stack:
            for path in paths:
                handle = twins.reference.owner.get_submodule(path).register_forward_hook(hook)
                stack.callback(handle.remove)
            return twins.ask(twins.reference)

    return ask


def _of_functions(twins: Twins) -> Iterator[tuple[str, Changed]]:
    """Functions of this or an earlier kata that the reference uses, as if they did nothing."""
    function = inspect.unwrap(twins.reference.function)
    scope = getattr(function, "__globals__", {})
    for name in function.__code__.co_names:
        value = scope.get(name)
        if inspect.isfunction(value) and value is not function:
            yield f"It is what comes out without `{name}`.", _replaced(scope, name, _first)
            yield f"It is what comes out if `{name}` is applied twice.", _replaced(scope, name, _again(value))


def _first(*arguments: Any, **named: Any) -> Any:
    return next(value for value in (*arguments, *named.values()) if isinstance(value, Tensor))


def _again(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda first, *rest, **named: function(function(first, *rest, **named), *rest, **named)


def _replaced(scope: dict[str, Any], name: str, function: Callable[..., Any]) -> Changed:
    def ask(twins: Twins) -> Any:
        with _swapped(scope, name, function):
            return twins.ask(twins.reference)

    return ask


@contextmanager
def _swapped(scope: dict[str, Any], name: str, function: Callable[..., Any]) -> Iterator[None]:
    before = scope[name]
    scope[name] = function
    try:
        yield
    finally:
        scope[name] = before
