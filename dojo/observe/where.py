"""Where code is right and where it is wrong: the simplest property that parts the examples, tried by intervention."""

from __future__ import annotations

import inspect
import itertools
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..spec.claims import Claim, Example, Outcome
from ..spec.conditions import WORDS, Conditions
from ..spec.strategies import Sizes

Run = Callable[[Example], Outcome]
SWEPT = 8  # sizes that are tried of one dimension, at most
WRONG = ("mismatch", "raised")
PLAIN = (str, bool, int, float, type(None))


@dataclass(frozen=True)
class Trial:
    """An example, and whether the code is right there."""

    example: Example
    right: bool

    def sizes(self, names: Collection[str]) -> Mapping[str, int]:
        """The named sizes of the example, and those of its whole numbers that a learner knows by name."""
        return sizes_of(self.example) | {n: v for n, v in self.example.items() if type(v) is int and n in names}


def sizes_of(example: Example) -> dict[str, int]:
    """The named sizes of an example."""
    return {name: size for value in example.values() if isinstance(value, Sizes) for name, size in value.dims.items()}


def known_names(reference: Any) -> set[str]:
    """The names of parameters in the contract: of the values of an example those that a learner knows."""
    names: set[str] = set()
    for value in vars(reference).values():
        if getattr(value, "__module__", None) == vars(reference)["__name__"]:
            functions = [value, *vars(value).values()] if inspect.isclass(value) else [value]
            for function in filter(inspect.isfunction, functions):
                names |= set(inspect.signature(function).parameters)
    return names


def where(claim: Claim, failing: Outcome, known: Sequence[Outcome], run: Run, names: Collection[str]) -> Iterator[str]:
    """Sentences about what makes the difference, the simplest first; `known` are outcomes on other examples.

    Of the values of an example those are spoken of that a learner knows: texts, sizes, and what is in `names`.
    """
    example = failing.example
    verb = "It raises an error" if failing.kind == "raised" else "It is wrong"
    if run(example).kind == "passed":  # it is right now: what it says depends on what was called before
        yield "On this very example it is right when it is called again: it depends on what was called before."
        return
    trials = [
        Trial(each.example, each.kind == "passed") for each in (failing, *known) if each.kind in ("passed", *WRONG)
    ]
    yield from _choices(claim, failing, trials, run, verb, names)
    if not any(under_conditions(example, run)):
        yield from _sizes(claim, failing, trials, run, verb, names)


def under_conditions(example: Example, run: Run) -> Iterator[str]:
    """The condition without which it is right."""
    if run(example).kind == "passed":
        return
    for simpler in example.conditions.simpler():
        if run(example.under(simpler)).kind == "passed":
            yield _without(example.conditions, simpler)
            return


def _choices(
    claim: Claim, failing: Outcome, trials: list[Trial], run: Run, verb: str, names: Collection[str]
) -> Iterator[str]:
    """Choices of the claim of which some values make it right, the others of the example left as they are."""
    example = failing.example
    for name, values in claim.choices.items():
        kinds = {}
        if len(values) > 12 or not all(isinstance(value, PLAIN) for value in values):
            continue
        for value in values:
            outcome = run(_with(example, name, value))
            if outcome.kind in ("passed", *WRONG):
                kinds[value] = outcome.kind == "passed"
                trials.append(Trial(outcome.example, outcome.kind == "passed"))
        right, wrong = ([value for value in kinds if kinds[value] is kind] for kind in (True, False))
        texts = all(isinstance(value, str) for value in kinds)
        known = texts or name in names or any(name in each.split("_") for each in (*names, "training"))
        if right and wrong and known and (words := _values("" if texts else f"{name} = ", wrong, right)):
            yield f"{verb} {words[0]}, and right {words[1]}."


def _values(name: str, wrong: Sequence[Any], right: Sequence[Any]) -> tuple[str, str] | None:
    """The values of a choice for which it is wrong, and right, in words; none where they are a list of numbers."""
    plain = name.removesuffix(" = ")
    if {type(value) for value in (*wrong, *right)} == {bool}:
        return (f"with {plain}", f"without {plain}")[:: 1 if wrong[0] else -1]  # type: ignore[return-value]
    numbers = [value for value in (*wrong, *right) if isinstance(value, (int, float))]
    if len(numbers) == len(wrong) + len(right) > 2:
        if max(wrong) < min(right):
            return f"for {plain} up to {max(wrong):g}", f"for larger ones, from {min(right):g} on"
        if max(right) < min(wrong):
            return f"for {plain} from {min(wrong):g} on", f"for smaller ones, up to {max(right):g}"
    if max(len(wrong), len(right)) > 3:
        return None
    return f"for {name}{_listed(wrong)}", f"for {name}{_listed(right)}"


def _listed(values: Sequence[Any]) -> str:
    return " or ".join(f"“{value}”" if isinstance(value, str) else repr(value) for value in values)


def _sizes(
    claim: Claim, failing: Outcome, trials: list[Trial], run: Run, verb: str, names: Collection[str]
) -> Iterator[str]:
    example = failing.example
    own = {n: size for n, size in Trial(example, False).sizes(names).items() if n not in claim.choices}
    smallest = {n: min(Trial(each, True).sizes(names)[n] for each in claim.drawn) for n in own}
    turning = set()  # dimensions of which another size alone makes it right
    for name, value in example.items():
        if isinstance(value, Sizes):
            for dim, size in value.dims.items():
                for other in range(smallest[dim], smallest[dim] + SWEPT):
                    if other != size:
                        changed = _with(example, name, replace(value, dims=value.dims | {dim: other}))
                        outcome = run(changed)
                        if outcome.kind in ("passed", *WRONG):
                            trials.append(Trial(changed, outcome.kind == "passed"))
                            turning |= {dim} if outcome.kind == "passed" else set()
        elif name in own:
            turning.add(name)
    right, wrong = ([trial for trial in trials if trial.right is kind] for kind in (True, False))
    if right and len(wrong) > 1:
        for about, words, holds in _properties(own, smallest):
            if (
                about & turning
                and all(map(holds, (trial.sizes(names) for trial in wrong)))
                and not any(map(holds, (trial.sizes(names) for trial in right)))
            ):
                yield f"{verb} {words}, and right elsewhere."
                return


def contents(wrong: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]], verb: str) -> Iterator[str]:
    """What all texts and lists hold with which it is wrong, and none with which it is right; values by their names."""
    for name, value in wrong[0].items() if right and len(wrong) + len(right) > 3 else ():
        for words, holds in CONTENTS if isinstance(value, (str, bytes, list)) else ():
            with suppress(Exception):
                if all(holds(each[name]) for each in wrong) and not any(holds(each[name]) for each in right):
                    yield f"{verb} where `{name}` {words}, and right elsewhere."
                    return


CONTENTS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("has characters outside ASCII", lambda v: not v.isascii()),
    ("is empty", lambda v: not v),
    ("has white space", lambda v: any(map(str.isspace, v))),
    ("has more than one entry", lambda v: len(v) > 1 and not isinstance(v, (str, bytes))),
    ("has a character twice", lambda v: isinstance(v, str) and len(set(v)) < len(v)),
    ("has an entry twice", lambda v: isinstance(v, list) and len(set(map(repr, v))) < len(v)),
    ("has digits", lambda v: any(map(str.isdigit, v))),
    ("has capital letters", lambda v: v != v.lower()),
    ("has small letters", lambda v: v != v.upper()),
)
Property = Callable[[Mapping[str, int]], bool]


def _properties(names: Mapping[str, int], smallest: Mapping[str, int]) -> Iterator[tuple[set[str], str, Property]]:
    """Properties of the sizes that may part right from wrong, the simplest first: what of, in words, and as such."""
    for name in names:
        least = smallest[name]
        for size in range(least + 1, least + SWEPT):
            yield {name}, f"from {name} = {size} on", _is(operator.ge, name, size)
        yield {name}, f"only for {name} = {least}", _is(operator.eq, name, least)
        for size in range(least + 1, least + SWEPT):
            yield {name}, f"only for {name} up to {size}", _is(operator.le, name, size)
        yield {name}, f"for odd {name}", _leaves(name, 1)
        yield {name}, f"for even {name}", _leaves(name, 0)
    for left, right in itertools.permutations(names, 2):
        yield {left, right}, f"where {left} > {right}", _compared(operator.gt, left, right)
        if left < right:
            yield {left, right}, f"where {left} ≠ {right}", _compared(operator.ne, left, right)
            yield {left, right}, f"where {left} = {right}", _compared(operator.eq, left, right)
    for left, right in itertools.permutations(names, 2):
        yield {left, right}, f"where {left} is no multiple of {right}", _compared(_leaves_a_rest, left, right)


def _is(compare: Callable[[int, int], bool], name: str, size: int) -> Property:
    return lambda sizes: compare(sizes[name], size)


def _leaves(name: str, rest: int) -> Property:
    return lambda sizes: sizes[name] % 2 == rest


def _leaves_a_rest(left: int, right: int) -> bool:
    return left % max(right, 1) > 0


def _compared(compare: Callable[[int, int], bool], left: str, right: str) -> Property:
    return lambda sizes: compare(sizes[left], sizes[right])


def _with(example: Example, name: str, value: Any) -> Example:
    return Example(example | {name: value}).under(example.conditions)


def _without(given: Conditions, simpler: Conditions) -> str:
    """What makes the difference between two conditions, in words."""
    if given.layout != simpler.layout:
        return f"It is right for contiguous tensors, and wrong for {WORDS[given.layout]}."
    if given.dtype != simpler.dtype:
        other = "double" if given.dtype == "float32" else "single"
        return f"It is wrong {WORDS[given.dtype]}, and right in {other} precision."
    if given.earlier != simpler.earlier:
        return "It is right when it is called for the first time, and wrong after calls with other values."
    return (
        f"It is right with arguments as usual, and wrong with {WORDS[given.arguments]}, in the order of the contract."
    )
