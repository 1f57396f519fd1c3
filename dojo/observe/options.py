"""Whether the code under test does as if an option were given another value, whatever it is given."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..sandbox.calls import Make
from ..sandbox.subject import Subject
from ..spec.claims import Claim
from .lockstep import Case
from .recording import RecordedCall, recorded
from .values import alike

ALIKE = 3  # failing examples on which a change has to give what the code under test gives
OPTIONS = 40  # changes that are tried


def as_if(claim: Claim, solution: Subject, reference: Any, cases: Sequence[Case]) -> str:
    """The argument that the solution would have to be given in every call to do as the code under test does."""
    cases = cases[:ALIKE]
    for name, argument, value in itertools.islice(_settings(cases[0].own, solution), OPTIONS):
        with _given(solution, name, argument, value):
            if all(_same(case, recorded(claim, solution, reference, case.outcome.example)[1]) for case in cases):
                return f"`{name.split('.')[0]}` does as if it were given {argument} = {value!r}, whatever it is given."
    return ""


def _settings(calls: Sequence[RecordedCall], solution: Subject) -> Iterator[tuple[str, str, Any]]:
    """Plain arguments of the functions that are called, with other values for them; the default comes first."""
    for name in dict.fromkeys(call.name for call in calls):
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


def _same(case: Case, theirs: Sequence[RecordedCall]) -> bool:
    """Whether the calls gave and left the same as far as the code under test went, and something wrong."""
    pairs = list(zip(case.own, theirs))
    return len(theirs) >= len(case.own) and all(_agree(*p) for p in pairs) and not all(map(_agree, case.own, case.want))


def _agree(mine: RecordedCall, theirs: RecordedCall) -> bool:
    left = all(alike(mine.after.get(name), value) for name, value in theirs.after.items())
    return left and alike(mine.result, theirs.result)
