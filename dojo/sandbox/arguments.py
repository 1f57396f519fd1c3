"""What is handed to a learner's function belongs to the caller: it must be the same after the call.

Were it changed, a claim would compute what it expects from the changed values, and show those as its example.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..spec.check import Mismatch

LARGE = 10_000  # a list or dict of more entries (the ranks of GPT-2) is not looked at: it would take too long

FIXED = {int, float, bool, str, bytes, type(None)}  # cannot be changed; a list of these is compared at once


def check_unchanged(
    function: Callable[..., Any], name: str, positional: Sequence[Any], named: Mapping[str, Any], before: Sequence[Any]
) -> None:
    """Raise Mismatch where a call has changed a tensor, list or dict that it got; `before` are their snapshots."""
    after = [*positional, *named.values()]
    if all(map(_same, after, before)):
        return
    parameters = list(inspect.signature(function).parameters)
    keys = [*(parameters[min(i, len(parameters) - 1)] for i in range(len(positional))), *named]
    for parameter, now, then in zip(keys, after, before):
        if not _same(now, then):
            problem = f"`{name}` changes its argument `{parameter}`, which belongs to the caller"
            raise Mismatch(problem, snapshot(now), then, gist=f"`{name}` changes an argument")  # its name is free


def snapshot(value: Any) -> Any:
    """A value as it is now; what is no tensor, list, tuple or dict stays itself."""
    if type(value) in FIXED:
        return value
    if type(value) in (torch.Tensor, torch.nn.Parameter):
        return value.detach().clone()
    if type(value) in (list, tuple, dict) and len(value) > LARGE:
        return None
    if type(value) in (list, tuple):
        return type(value)(value if FIXED.issuperset(map(type, value)) else map(snapshot, value))
    if type(value) is dict:
        return {key: snapshot(entry) for key, entry in value.items()}
    return value


def _same(now: Any, then: Any) -> bool:
    if type(then) in FIXED:
        return True
    if isinstance(then, torch.Tensor):
        if now.shape != then.shape or now.dtype != then.dtype:
            return False
        return now.is_meta or torch.equal(now, then) or bool(((now == then) | now.isnan() & then.isnan()).all())
    if type(then) in (list, tuple):
        if FIXED.issuperset(map(type, then)) and FIXED.issuperset(map(type, now)):
            return bool(now == then)
        return len(now) == len(then) and all(map(_same, now, then))
    if type(then) is dict:
        return list(now) == list(then) and all(_same(now[key], then[key]) for key in then)
    return True
