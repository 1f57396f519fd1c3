"""On what an answer depends: the call that gave it is made again with one thing changed, as is the reference's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..sandbox.calls import Call
from ..sandbox.subject import Subject
from ..spec.check import Mismatch
from ..spec.claims import Example, Outcome


def dependences(outcome: Outcome, run: Callable[[Example], Outcome], subject: Subject, reference: Any) -> Iterator[str]:
    """Sentences on what the answer depends on and should not, or the other way round."""
    with subject.calls.logged() as log:
        error = run(outcome.example).error
    if not isinstance(error, Mismatch) or not isinstance(error.got, Tensor) or error.got.is_meta:
        return
    call = next((call for call in reversed(log) if _gave(call, error.got)), None)
    if call is None:
        return
    with contextlib.suppress(Exception), torch.random.fork_rng():
        theirs = _of_the_reference(call, reference)
        if theirs is None:
            return
        got, want = _facts(call.function, call), _facts(theirs, call)
        for key, (depends, sentence, missing) in got.items():
            if key in want and depends != want[key][0]:
                yield sentence if depends else missing


def _gave(call: Call, got: Tensor) -> bool:
    """Whether a tensor was the result of a call, or a part of it."""
    results = call.result if isinstance(call.result, (tuple, list)) else [call.result]
    tensors = [result.detach() for result in results if isinstance(result, Tensor) and result.shape == got.shape]
    return any(torch.equal(tensor.nan_to_num(), got.nan_to_num()) for tensor in tensors)


def _of_the_reference(call: Call, reference: Any) -> Callable[..., Any] | None:
    """The reference's function, or method of a module made alike and with the same parameters."""
    owner, _, method = call.name.rpartition(".")
    if not owner:
        return getattr(reference, method, None)
    module = call.positional[0]
    if call.made_with is None or not isinstance(module, nn.Module):
        return None
    positional, named = call.made_with
    twin = getattr(reference, owner)(*positional, **named).train(module.training)
    parameters = dict(module.named_parameters())
    for path, values in twin.named_parameters():
        if path not in parameters or parameters[path].shape != values.shape:
            return None
        values.data = parameters[path].detach().clone()
    function = getattr(type(twin), method)
    return lambda _, *positional, **named: function(twin, *positional, **named)


def _facts(function: Callable[..., Any], call: Call) -> dict[str, tuple[bool, str, str]]:
    """Whether the answer depends on each thing, with the sentence where it should not and where it should."""
    base = _answer(function, call, {})
    facts = {}
    for at, value in enumerate(call.positional):
        if not isinstance(value, Tensor) or not value.numel() or not value.is_floating_point():
            continue
        name = call.parameter(at)
        changed = _answer(function, call, {at: value.detach() + 1 + value.detach().flip(0)})
        facts[f"{at} whole"] = (
            not _alike(base, changed),
            f"The answer changes with `{name}`, and it should not.",
            f"The answer does not change with `{name}` at all.",
        )
        for axis, what in ((0, "another row of the batch"), (1, "a later token")):
            if value.ndim > axis + 1 and base.ndim > axis and value.shape[axis] == base.shape[axis] > 1:
                other = value.detach().clone()
                other.select(axis, -1).add_(1.5)
                moved = _answer(function, call, {at: other})
                first = [each.narrow(axis, 0, each.shape[axis] - 1) for each in (base, moved)]
                facts[f"{at} {axis}"] = (
                    not _alike(*first),
                    f"The answer changes with {what} of `{name}`, and it should not.",
                    f"The answer does not change with {what} of `{name}`, and it should.",
                )
    return facts


def _answer(function: Callable[..., Any], call: Call, changed: dict[int, Tensor]) -> Tensor:
    """What a function gives for a call's arguments, some of them changed; the first tensor where it gives several."""
    positional = [changed.get(at, value) for at, value in enumerate(call.positional)]
    positional = [value.detach() if isinstance(value, Tensor) else value for value in positional]
    torch.manual_seed(0)
    result = function(*positional, **call.named)
    tensor: Tensor = result[0] if isinstance(result, (tuple, list)) else result
    return tensor.detach().double()


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-5, atol=1e-7, equal_nan=True)
