"""The calls of an example in order, beside those that the solution gets in it: the first that parts from it, and how.

A law is run on the code under test and on the solution, and each call's result is kept as it was then, with what the
call may have changed: weights, and files. So code with a state (an optimizer, a cache, a checkpoint) is compared too.
"""

from __future__ import annotations

import inspect
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..sandbox.calls import Call, Make
from ..sandbox.subject import Subject
from ..spec.claims import Claim, Example, Mode, Outcome
from .relations import how
from .replay import Failure, alike, name_of, plain
from .sequences import how_plain

CALLS = 40  # of one example
VALUES = (Tensor, int, float, str, bytes, type(None))  # that can be compared


@dataclass
class CallSnapshot:
    """A call, what it gave, and what it may have changed, as that was then."""

    call: Call
    result: Any
    state: dict[str, Any]
    objects: set[int]  # that the call was of, or was given


def _kept(value: Any) -> Any:
    """A result of which all parts can be compared; of other objects only that they are there."""
    if isinstance(value, (list, tuple)):
        return plain(type(value)(map(_kept, value))) if type(value) in (list, tuple) else "an object"
    if isinstance(value, dict):
        return {key: _kept(part) for key, part in value.items()}
    return plain(value) if isinstance(value, VALUES) else "an object"


def _state(call: Call) -> dict[str, Any]:
    """The numbers that a call may have changed, by name."""
    state: dict[str, Any] = {}
    for value in (*call.positional, *call.named.values()):
        if isinstance(value, nn.Module):
            state |= {f"`{name}`": plain(parameter) for name, parameter in value.named_parameters()}
        elif isinstance(value, torch.optim.Optimizer):
            for group, settings in enumerate(value.param_groups):
                of_group = f" of group {group}" if len(value.param_groups) > 1 else ""
                state |= {f"parameter {n}{of_group}": plain(p) for n, p in enumerate(settings["params"])}
                gradients = {n: p.grad for n, p in enumerate(settings["params"]) if p.grad is not None}
                state |= {f"the gradient of parameter {n}{of_group}": plain(g) for n, g in gradients.items()}
                state |= {f"the rate{of_group}": float(settings["lr"])} if "lr" in settings else {}
        elif isinstance(value, (str, Path)) and len(str(value)) < 200 and os.path.isfile(value):
            with suppress(Exception):
                _flatten("the file", torch.load(value, weights_only=True), state)
    return state


def _flatten(path: str, value: Any, into: dict[str, Any]) -> None:
    """The entries of nested dicts and lists by their path."""
    if isinstance(value, (dict, list, tuple)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            _flatten(f"{path}[{key!r}]", part, into)
    else:
        into[path] = plain(value)


@contextmanager
def _other_seeds() -> Iterator[None]:
    """Have torch's own random numbers be others meanwhile."""
    seed = torch.manual_seed
    torch.manual_seed = lambda number: seed(int(number) + 1)  # type: ignore
    torch.manual_seed(0)
    try:
        yield
    finally:
        torch.manual_seed = seed


def recorded(
    claim: Claim, subject: Subject, reference: Any, example: Example, modes: Sequence[Mode] = ()
) -> tuple[Outcome, list[CallSnapshot]]:
    """The calls of an example."""
    moments: list[CallSnapshot] = []

    def note(call: Call) -> None:
        if len(moments) < CALLS:
            with suppress(Exception):  # of objects of the learner's own
                given = (*call.positional, *call.named.values())
                moments.append(CallSnapshot(call, _kept(call.result), _state(call), set(map(id, given))))

    with subject.calls.logged(note):
        return claim.once(subject, reference, example, modes), moments


@dataclass
class Divergence:
    """The first call that parts from the solution's: what it gave or left, beside what it should have."""

    call: Call
    what: str  # changed by the call; "" where its result differs
    failure: Failure | tuple[Any, Any]
    change: bool  # the two are how the call has changed it, not what it then is
    earlier: int  # calls of this name that were right before
    right: list[str]  # what else the call may change, and is as it should be
    later: list[bool]  # whether later calls of this name are right
    lacks_file: bool = False  # that the solution has written


def first_divergence(
    claim: Claim, subject: Subject, solution: Subject, reference: Any, example: Example
) -> Divergence | None:
    """Where the code under test parts from the solution on an example; None where no call shows it."""
    _, own = recorded(claim, subject, reference, example)
    _, want = recorded(claim, solution, reference, example)
    _, again = recorded(claim, solution, reference, example, [_other_seeds])
    pairs = []
    for mine, theirs, other in zip(own, want, again):
        if not mine.call.name == theirs.call.name == other.call.name:
            break
        pairs.append((mine, theirs, _differences(mine, theirs, other)))
    for at, (mine, theirs, wrong) in enumerate(pairs):
        if wrong:
            of_name = [not each[2] for each in pairs if each[0].call.name == mine.call.name]
            earlier = sum(each[0].call.name == mine.call.name for each in pairs[:at])
            what = next(iter(wrong))
            right = [name for name in theirs.state if name in mine.state and name not in wrong]
            failure, change = _compared(what, pairs[: at + 1])
            files = [any(name.startswith("the file") for name in moment.state) for moment in (mine, theirs)]
            return Divergence(
                mine.call, what, failure, change, earlier, right, of_name[earlier + 1 :], files == [False, True]
            )
    return None


def _differences(mine: CallSnapshot, theirs: CallSnapshot, other: CallSnapshot) -> list[str]:
    """What differs from the solution's, "" for the result; not what differs in it under other random numbers."""
    wrong = [""] if alike(theirs.result, other.result) and not alike(mine.result, theirs.result) else []
    for name, value in theirs.state.items():
        if name in mine.state:
            differs = alike(value, other.state.get(name)) and not alike(mine.state[name], value)
        else:
            differs = name.startswith("the file")
        wrong += [name] if differs else []
    return wrong


Pairs = Sequence[tuple[CallSnapshot, CallSnapshot, list[str]]]  # of both codes, with what differs


def _compared(what: str, pairs: Pairs) -> tuple[Failure | tuple[Any, Any], bool]:
    """The two values; of weights, how each code has changed them, where that is known, and whether it is."""
    mine, theirs, _ = pairs[-1]
    got, want = (mine.result, theirs.result) if not what else (mine.state.get(what), theirs.state[what])
    earlier = [pair for pair in pairs[:-1] if what in pair[0].state and what in pair[1].state]
    earlier = [pair for pair in earlier if _of_same(pair[0], mine) and _of_same(pair[1], theirs)]
    before = earlier[-1] if earlier else None
    change = bool(what and before and isinstance(got, Tensor) and isinstance(want, Tensor))
    if before and change:
        got, want = got - before[0].state[what], want - before[1].state[what]
    if isinstance(got, tuple) and isinstance(want, tuple) and len(got) == len(want):
        got, want = next(pair for pair in zip(got, want) if not alike(*pair))
    if isinstance(got, Tensor) and isinstance(want, Tensor) and got.shape == want.shape and got.dtype == want.dtype:
        return Failure(got, want, {}, _inputs(mine.call)), change
    return (got, want), change


def _of_same(moment: CallSnapshot, other: CallSnapshot) -> bool:
    """Whether two calls may have changed the same object."""
    kinds = (nn.Module, torch.optim.Optimizer)
    values = (*moment.call.positional, *moment.call.named.values())
    return any(isinstance(value, kinds) and id(value) in other.objects for value in values)


def _inputs(call: Call) -> Mapping[str, Any]:
    """The arguments of a call by name."""
    names = [call.parameter(at) for at in range(len(call.positional))]
    return dict(zip(names, map(_kept, call.positional))) | {name: _kept(value) for name, value in call.named.items()}


def described(divergences: Sequence[Divergence], sizes: Sequence[Mapping[str, int]], in_turn: bool) -> Iterator[str]:
    """Sentences about the calls that part from the solution's, one a failing example; those that hold on all.

    With `in_turn` also which calls go wrong: where a call goes wrong by itself, those before it are not the reason.
    """
    first = divergences[0]
    if any((each.call.name, bool(each.what)) != (first.call.name, bool(first.what)) for each in divergences):
        return
    name = name_of(first.call)
    yield from _in_turn(name, divergences) if in_turn else ()
    if first.what:
        yield from _changes(name, divergences)
        return
    failures = [each.failure for each in divergences]
    tensors = [Failure(f.got, f.want, size, f.inputs) for f, size in zip(failures, sizes) if isinstance(f, Failure)]
    if len(tensors) == len(failures):
        yield from how(tensors)
    elif not tensors:
        yield from how_plain([failure for failure in failures if isinstance(failure, tuple)], sizes)


def _in_turn(name: str, divergences: Sequence[Divergence]) -> Iterator[str]:
    """Which calls of a function are wrong, where some are right, and something is kept between them."""
    if not all(map(_keeps, (each.call for each in divergences))):
        return
    times = {min(each.earlier, 2) for each in divergences}
    later = [right for each in divergences for right in each.later]
    if times == {0} and later and all(later):
        yield f"Only the first call of `{name}` goes wrong; later ones do what they should."
    elif times == {1}:
        yield f"The first call of `{name}` does what it should, the second does not: look at what is kept between them."
    elif 0 not in times:
        yield f"`{name}` does what it should at first, and goes wrong in a later call."


def _keeps(call: Call) -> bool:
    """Whether a call is of, or is given, an object that may keep something: a cache, an optimizer."""
    given = [*call.positional, *call.named.values()]
    given += [part for value in given if isinstance(value, (list, tuple)) for part in value]
    passive = (*VALUES, list, tuple, dict, nn.Module, torch.dtype, torch.device, torch.Generator)
    return any(not isinstance(value, passive) for value in given)


def _changes(name: str, divergences: Sequence[Divergence]) -> Iterator[str]:
    if all(each.lacks_file for each in divergences):
        yield f"After `{name}` there is no file, where it should have written one, that `torch.load` reads."
        return
    what = {each.what for each in divergences}
    shown = what.pop() if len(what) == 1 else "the weights"
    if shown.startswith("the file"):
        got, want = divergences[0].failure if isinstance(divergences[0].failure, tuple) else ("", "")
        yield f"`{name}`: {shown} {'is missing' if got is None is not want else 'is not what it should be'}."
        return
    tensors = [each.failure for each in divergences if isinstance(each.failure, Failure)]
    right = [other for other in divergences[0].right if all(other in each.right for each in divergences)]
    right = [other for other in right if other.split()[:-1] == shown.split()[:-1] or shown[0] == other[0] == "`"]
    but = f"; it is right for {right[0]}" if right else ""
    relation = next(how(tensors), "") if len(tensors) == len(divergences) else ""
    if not all(each.change for each in divergences):
        if relation.startswith("It ") or but:
            made = divergences[0].call.name.endswith("__init__")
            when = f"In a new `{name}`" if made else f"After `{name}`"
            yield f"{when}, {shown} {relation.removeprefix('It ').removesuffix('.') or 'is wrong'}{but}."
    elif all(not failure.got.any() for failure in tensors):
        yield f"`{name}` does not change {shown}{but}."
    elif all(not failure.want.any() for failure in tensors):
        yield f"`{name}` changes {shown}, and it should not."
    elif relation or but:
        subject = f"The change that `{name}` makes to {shown} "
        yield re.sub("^It ", subject, relation) if relation else f"{subject}is wrong{but}."


# Options without effect.

ALIKE = 3  # failing examples on which a change has to give what the code under test gives
OPTIONS = 40  # changes that are tried


def as_if(claim: Claim, subject: Subject, solution: Subject, reference: Any, examples: Sequence[Example]) -> str:
    """The argument that the solution would have to be given in every call to do as the code under test does."""
    own = [recorded(claim, subject, reference, example)[1] for example in examples[:ALIKE]]
    want = [recorded(claim, solution, reference, example)[1] for example in examples[:ALIKE]]
    for name, argument, value in itertools.islice(_settings(own[0], solution), OPTIONS):
        with _given(solution, name, argument, value):
            changed = (recorded(claim, solution, reference, example)[1] for example in examples[:ALIKE])
            same = all(_same(mine, theirs, right) for mine, theirs, right in zip(own, changed, want))
        if same:
            return f"`{name.split('.')[0]}` does as if it were given {argument} = {value!r}, whatever it is given."
    return ""


def _settings(moments: Sequence[CallSnapshot], solution: Subject) -> Iterator[tuple[str, str, Any]]:
    """Plain arguments of the functions that are called, with other values for them; the default comes first."""
    for name in dict.fromkeys(moment.call.name for moment in moments):
        function: Any = solution.module
        for part in name.split("."):
            function = getattr(function, part, None)
        for argument, parameter in inspect.signature(function).parameters.items() if function else ():
            default = parameter.default
            if isinstance(default, (int, float, type(None))):
                others = [default, not default] if isinstance(default, bool) else [default, 0, 1, None]
                yield from ((name, argument, value) for value in dict.fromkeys(others))


@contextmanager
def _given(solution: Subject, name: str, argument: str, value: Any) -> Iterator[None]:
    """Have every call of a function get another value for an argument meanwhile."""

    def changed(make: Make, function: Any, called: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if called == name:
            bound = inspect.signature(function).bind(*positional, **named)
            bound.arguments[argument] = value
            positional, named = bound.args, bound.kwargs
        return make(function, called, positional, named)

    with solution.calls.made_by(changed):
        yield


def _same(mine: Sequence[CallSnapshot], theirs: Sequence[CallSnapshot], right: Sequence[CallSnapshot]) -> bool:
    """Whether the calls gave and left the same as far as the code under test went, and something wrong."""
    pairs = list(zip(mine, theirs))
    return len(theirs) >= len(mine) and all(_agree(*pair) for pair in pairs) and not all(map(_agree, mine, right))


def _agree(mine: CallSnapshot, theirs: CallSnapshot) -> bool:
    left = all(alike(mine.state.get(name), value) for name, value in theirs.state.items())
    return left and alike(mine.result, theirs.result)
