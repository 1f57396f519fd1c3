"""What is handed to a learner's function belongs to the caller: it must be the same after the call.

Were it changed, a claim would compute what it expects from the changed values, and show those as its example.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import torch

from ..spec.check import Mismatch

LARGE = 10_000  # a list or dict of more entries (the ranks of GPT-2) is not looked at: it would take too long


def forbid_mutation(module: ModuleType) -> None:
    """Make every function and method of a module raise Mismatch where it has changed a tensor, list or dict it got.

    Only calls from outside are looked at: what the module's own functions do to each other's is their business.
    """
    inside: list[str] = []
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, FunctionType):
            setattr(module, name, _watched(value, name, inside))
        elif inspect.isclass(value):
            for method, function in list(vars(value).items()):
                if isinstance(function, FunctionType) and (method == "__init__" or not method.startswith("__")):
                    setattr(value, method, _watched(function, f"{name}.{method}", inside))


def _watched(function: Callable[..., Any], name: str, inside: list[str]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*positional: Any, **named: Any) -> Any:
        if inside:
            return function(*positional, **named)
        before = _copy((positional, named))
        inside.append(name)
        try:
            result = function(*positional, **named)
        finally:
            inside.pop()
        _compare(function, name, (positional, named), before)
        return result

    return call


def _compare(function: Callable[..., Any], name: str, after: Any, before: Any) -> None:
    if _same(after, before):
        return
    parameters = list(inspect.signature(function).parameters)
    pairs = [(parameters[min(i, len(parameters) - 1)], *pair) for i, pair in enumerate(zip(after[0], before[0]))]
    pairs += [(key, after[1][key], before[1][key]) for key in before[1]]
    for parameter, now, then in pairs:
        if not _same(now, then):
            problem = f"`{name}` changes its argument `{parameter}`, which belongs to the caller"
            raise Mismatch(problem, _copy(now), then)


def _copy(value: Any) -> Any:
    """A value as it is now; what is no tensor, list, tuple or dict stays itself."""
    if type(value) in (torch.Tensor, torch.nn.Parameter):
        return value.detach().clone()
    if type(value) in (list, tuple, dict) and len(value) > LARGE:
        return None
    if type(value) in (list, tuple):
        return type(value)(_copy(entry) for entry in value)
    if type(value) is dict:
        return {key: _copy(entry) for key, entry in value.items()}
    return value


def _same(now: Any, then: Any) -> bool:
    if isinstance(then, torch.Tensor):
        if now.shape != then.shape or now.dtype != then.dtype:
            return False
        return now.is_meta or torch.equal(now, then) or bool(((now == then) | now.isnan() & then.isnan()).all())
    if type(then) in (list, tuple):
        return len(now) == len(then) and all(map(_same, now, then))
    if type(then) is dict:
        return list(now) == list(then) and all(_same(now[key], then[key]) for key in then)
    return True
