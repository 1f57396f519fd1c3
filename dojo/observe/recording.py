"""The calls of an example as they are made: what each was given, what it gave, and what it left changed."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..sandbox.calls import Make
from ..sandbox.subject import Subject
from ..spec.claims import Claim, Example, Mode, Outcome
from .values import alike, plain

CALLS = 200  # of one example
VALUES = (Tensor, int, float, str, bytes, type(None))  # that can be compared
PASSIVE = (*VALUES, torch.dtype, torch.device)  # values that keep nothing from call to call
Arguments = tuple[tuple[Any, ...], dict[str, Any]]  # by position and by name


@dataclass
class RecordedCall:
    """A call from outside: what it was given, what it gave, and what it may have changed, as all that was then."""

    name: str  # as in the contract: "lookup" or "GPTEmbedding.forward"
    function: Callable[..., Any]
    given: Arguments | None  # copies; None where something cannot be copied
    result: Any
    before: dict[str, Any]  # the numbers that a call may change, by name
    after: dict[str, Any]
    objects: list[Any]  # that it is of, or is given, and that may keep something: a cache, an optimizer

    @property
    def title(self) -> str:
        """What is called, as a learner reads it."""
        owner, _, method = self.name.rpartition(".")
        return owner if method in ("forward", "__init__") else method


def recorded(
    claim: Claim, subject: Subject, reference: Any, example: Example, modes: Sequence[Mode] = ()
) -> tuple[Outcome, list[RecordedCall]]:
    """The calls of an example, up to one that raises an error."""
    calls: list[RecordedCall] = []

    def made(make: Make, function: Any, name: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if len(calls) == CALLS:
            return make(function, name, positional, named)
        begins = name.endswith("__init__")
        given = copies(((None, *positional[1:]) if begins else positional, named))
        before = {} if begins else state((positional, named))
        result = make(function, name, positional, named)
        with suppress(Exception):  # of objects of the learner's own
            after, kept = state((positional, named)), comparable(result)
            calls.append(RecordedCall(name, function, given, kept, before, after, objects((positional, named))))
        return result

    with subject.calls.made_by(made):
        return claim.once(subject, reference, example, modes), calls


@contextmanager
def other_seeds() -> Iterator[None]:
    """Have torch's own random numbers be others meanwhile."""
    seed = torch.manual_seed
    torch.manual_seed = lambda number: seed(int(number) + 1)  # type: ignore
    torch.manual_seed(0)
    try:
        yield
    finally:
        torch.manual_seed = seed


def _values(arguments: Arguments) -> Iterator[Any]:
    """All arguments, and the entries of lists among them."""
    for value in (*arguments[0], *arguments[1].values()):
        yield value
        if isinstance(value, (list, tuple)):
            yield from value


def copies(arguments: Arguments) -> Arguments | None:
    """Arguments of which a call may do what it likes; None where one of them cannot be copied."""
    memo: dict[int, Any] = {}
    for value in _values(arguments):
        if isinstance(value, torch.Generator):
            memo[id(value)] = torch.Generator().set_state(value.get_state())
        elif isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            memo[id(value)] = value.detach().clone()
    with suppress(Exception):
        return copy.deepcopy(arguments, memo)
    return None


def objects(arguments: Arguments) -> list[Any]:
    """The objects among some arguments that may keep something, other than modules."""
    passive = (*PASSIVE, list, tuple, dict, nn.Module, torch.Generator)
    return [value for value in _values(arguments) if not isinstance(value, passive)]


def kept_between(earlier: RecordedCall, later: RecordedCall) -> bool:
    """Whether both are calls of one object, which was another then."""
    if earlier.given is None or later.given is None:
        return False
    then, now = ([comparable(vars(each)) for each in objects(call.given or ((), {}))] for call in (earlier, later))
    one = any(mine is theirs for mine in earlier.objects for theirs in later.objects)
    return one and not all(map(alike, then, now))


def comparable(value: Any) -> Any:
    """A result of which all parts can be compared; of other objects only that they are there."""
    if isinstance(value, (list, tuple)):
        return plain(type(value)(map(comparable, value))) if type(value) in (list, tuple) else "an object"
    if isinstance(value, dict):
        return {key: comparable(part) for key, part in value.items()}
    return plain(value) if isinstance(value, VALUES) else "an object"


def state(arguments: Arguments) -> dict[str, Any]:
    """The numbers that a call may change, by name."""
    numbers: dict[str, Any] = {}
    for value in (*arguments[0], *arguments[1].values()):
        if isinstance(value, nn.Module):
            numbers |= {f"`{name}`": plain(parameter) for name, parameter in value.named_parameters()}
        elif isinstance(value, torch.optim.Optimizer):
            for group, settings in enumerate(value.param_groups):
                of_group = f" of group {group}" if len(value.param_groups) > 1 else ""
                numbers |= {f"parameter {n}{of_group}": plain(p) for n, p in enumerate(settings["params"])}
                gradients = {n: p.grad for n, p in enumerate(settings["params"]) if p.grad is not None}
                numbers |= {f"the gradient of parameter {n}{of_group}": plain(g) for n, g in gradients.items()}
                numbers |= {f"the rate{of_group}": float(settings["lr"])} if "lr" in settings else {}
        elif isinstance(value, (str, Path)) and len(str(value)) < 200 and os.path.isfile(value):
            with suppress(Exception):
                _flatten("the file", torch.load(value, weights_only=True), numbers)
    return numbers


def _flatten(path: str, value: Any, into: dict[str, Any]) -> None:
    """The entries of nested dicts and lists by their path."""
    if isinstance(value, (dict, list, tuple)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            _flatten(f"{path}[{key!r}]", part, into)
    else:
        into[path] = plain(value)


def has_file(numbers: Iterable[str]) -> bool:
    """Whether some of these numbers were read from a file."""
    return any(name.startswith("the file") for name in numbers)
