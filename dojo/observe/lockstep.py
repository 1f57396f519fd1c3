"""The calls of an example in order, beside those that the solution gets in it: the first that is wrong, and how.

A law is run on the code under test and on the solution. Where both answer again when a call is made again, their
answers to the very same arguments are compared; else what they gave and left when the law was run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..sandbox.subject import Subject
from ..spec.claims import Claim, Example, Outcome
from .recording import RecordedCall, has_file, kept_between, other_seeds, recorded
from .relations import how
from .replay import Replay, replay_of
from .sequences import how_plain
from .values import Failure, alike, comparison

ORDINALS = ("first", "second", "third", "fourth")


@dataclass
class Case:
    """An example on which a claim fails, and the calls that are made in it: of both codes, and once more of the
    solution, where other random numbers are drawn."""

    outcome: Outcome
    own: list[RecordedCall]
    want: list[RecordedCall]
    again: list[RecordedCall]
    wrong: Divergence | None = None
    right: list[Replay] = field(default_factory=list)  # calls before it, or all, that were made again


def case_of(claim: Claim, subject: Subject, solution: Subject, reference: Any, example: Example) -> Case:
    """The calls of an example."""
    outcome, own = recorded(claim, subject, reference, example)
    _, want = recorded(claim, solution, reference, example)
    _, again = recorded(claim, solution, reference, example, [other_seeds])
    return Case(outcome, own, want, again)


@dataclass
class Divergence:
    """The first call that is wrong: what it gave or left, beside what it should have."""

    call: RecordedCall
    what: str  # changed by the call; "" where its result differs
    failure: Failure | tuple[Any, Any]
    change: bool  # the two are how the call has changed it, not what it then is
    earlier: int  # calls of this name and of the same object, changed since, that were right before
    right: list[str]  # what else the call may change, and is as it should be
    later: list[bool]  # whether later calls of this name are right
    lacks_file: bool  # that the solution has written
    sizes: Mapping[str, int]
    parts: tuple[bool, ...]  # of a result in parts, which are right
    replay: Replay | None


def find_divergence(case: Case, sizes: Mapping[str, int], dtype: Any) -> None:
    """Look for the first call of a case that is wrong, and keep those before that are right when made again."""
    case.wrong = None
    trios = list(zip(case.own, case.want, case.again))
    for at, (mine, theirs, other) in enumerate(trios):
        if not mine.name == theirs.name == other.name:
            return
        replay = replay_of(mine, theirs, sizes, dtype)
        if replay is not None and not replay.wrong:
            case.right.append(replay)
        elif replay is not None and not replay.nondeterministic and replay.random():
            continue
        elif wrong := [replay.what] if replay is not None else _differences(mine, theirs, other):
            earlier = sum(each.name == mine.name and kept_between(each, mine) for each in case.own[:at])
            later = [not _differences(*trio) for trio in trios[at + 1 :] if trio[0].name == mine.name]
            case.wrong = _divergence(mine, theirs, wrong, replay, sizes, earlier, later)
            return


def _differences(mine: RecordedCall, theirs: RecordedCall, other: RecordedCall) -> list[str]:
    """What differs from the solution's, "" for the result; not what differs in it under other random numbers."""
    wrong = [""] if alike(theirs.result, other.result) and not alike(mine.result, theirs.result) else []
    for name, value in theirs.after.items():
        if name in mine.after:
            differs = alike(value, other.after.get(name)) and not alike(mine.after[name], value)
        else:
            differs = name.startswith("the file")
        wrong += [name] if differs else []
    return wrong


def _divergence(
    mine: RecordedCall,
    theirs: RecordedCall,
    wrong: Sequence[str],
    replay: Replay | None,
    sizes: Mapping[str, int],
    earlier: int,
    later: list[bool],
) -> Divergence:
    what = wrong[0]
    if replay is not None:
        got, want, inputs = replay.got, replay.want, replay.inputs()
    else:
        got, want = (mine.result, theirs.result) if not what else (mine.after.get(what), theirs.after[what])
        inputs = {}
    pairs = zip(got, want) if isinstance(got, tuple) and isinstance(want, tuple) and len(got) == len(want) else ()
    parts = tuple(alike(*pair) for pair in pairs)
    before = mine.before.get(what)
    change = False
    if isinstance(got, Tensor) and isinstance(want, Tensor) and isinstance(before, Tensor):
        change = before.shape == got.shape == want.shape
        got, want = (got - before, want - before) if change else (got, want)
    right = [n for n, value in theirs.after.items() if n in mine.after and alike(mine.after[n], value)]
    lacks_file = has_file(theirs.after) and not has_file(mine.after)
    failure = comparison(got, want, sizes, inputs)
    return Divergence(mine, what, failure, change, earlier, right, later, lacks_file, sizes, parts, replay)


def described(divergences: Sequence[Divergence]) -> Iterator[str]:
    """Sentences about like calls that are wrong, one a failing example; those that hold on all."""
    name = divergences[0].call.title
    yield from _in_turn(name, divergences)
    if divergences[0].what:
        yield from _changes(name, divergences)
        return
    yield from _parts(divergences)
    failures = [each.failure for each in divergences]
    tensors = [failure for failure in failures if isinstance(failure, Failure)]
    if len(tensors) == len(failures):
        yield from how(tensors)
    elif not tensors:
        pairs = [failure for failure in failures if isinstance(failure, tuple)]
        yield from how_plain(pairs, [each.sizes for each in divergences])


def _parts(divergences: Sequence[Divergence]) -> Iterator[str]:
    """Which of several things that a call gives are wrong, where not all are."""
    wrong = {each.parts for each in divergences}
    parts = wrong.pop() if len(wrong) == 1 else ()
    if not all(parts) and any(parts):
        places = [ORDINALS[at] for at, right in enumerate(parts[: len(ORDINALS)]) if not right]
        verb = "is" if len(places) == 1 else "are"
        yield f"Of the {len(parts)} things it gives only the {' and the '.join(places)} {verb} wrong."


def _in_turn(name: str, divergences: Sequence[Divergence]) -> Iterator[str]:
    """Which calls of a function are wrong, where some are right, and something is kept between them."""
    if not all(each.call.objects for each in divergences):
        return
    times = {min(each.earlier, 2) for each in divergences}
    later = [right for each in divergences for right in each.later]
    if times == {0} and later and all(later) and "." in divergences[0].call.name:
        yield f"Only the first call of `{name}` goes wrong; later ones do what they should."
    elif times == {1}:
        yield f"The first call of `{name}` does what it should, the second does not: look at what is kept between them."
    elif 0 not in times:
        yield f"`{name}` does what it should at first, and goes wrong in a later call."


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
    if relation.startswith("All entries are too large or too small") and (factors := _factors(divergences[0])):
        same = max(factors) - min(factors) < 1e-3 * max(map(abs, factors))
        of = f"one factor in all of them, such as {factors[0]:.3g}" if same else "a factor of its own in each of them"
        yield f"The changes that `{name}` makes to {len(factors)} parameters have the right direction, but {of}."
        return
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


def _factors(divergence: Divergence) -> list[float]:
    """How much larger the change of each parameter is than expected; none where one has another direction."""
    replay, factors = divergence.replay, []
    if replay is None:
        return []
    (_, left), (_, should) = replay.asked(replay.own), replay.asked(replay.reference)
    for name in (name for name in should if name.startswith("`") and name in left):
        got, want = left[name] - divergence.call.before[name], should[name] - divergence.call.before[name]
        factors += [float((got * want).sum() / (want * want).sum())] if want.any() else []
        if not alike(got, factors[-1] * want if want.any() else want):
            return []
    return factors if len(factors) > 1 else []
