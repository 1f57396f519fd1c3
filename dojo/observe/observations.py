"""What can be said of a wrong answer though nobody has written the mistake down: at most three true sentences.

How: a relation of the answer to the expected one, or what the reference would have to be given to answer so. On what:
inputs that the answer depends on and should not, or should and does not. Where: what makes the code right.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..sandbox.calls import Call
from ..sandbox.limits import limit
from ..sandbox.subject import Subject
from ..spec.check import Mismatch
from ..spec.claims import Claim, Example, Outcome
from ..spec.errors import Stop, TimeUp
from ..spec.isolation import isolated
from .counterfactuals import counterfactuals
from .dependence import dependences, gradients
from .parts import parts, simplified
from .relations import Failure, how
from .sequences import how_plain
from .twins import Twins, alike, plain, twins_of
from .where import sizes_of, under_conditions, where

SENTENCES = 3
FAILURES = 5  # examples that fail of which the calls are looked at
CALLS = 40  # of one example
ENDLESS = 60.0  # seconds of processor time after which calls made again are given up: one of them does not end
WEAK = ("All entries are", "It is too", "It is nearly", "It is finite")  # relations that say less than a reason does


@dataclass
class Case:
    """An example on which a claim fails, and the calls that the code under test was asked in it."""

    outcome: Outcome
    calls: list[Call]
    wrong: Twins | None = None  # the first call that gave another answer than the reference's
    right: list[Twins] | None = None  # those before it, or all


def observe(claim: Claim, outcome: Outcome, subject: Subject, reference: Any) -> list[str]:
    """Sentences about why a claim fails, the most telling first; `outcome` is on the example that is shown."""

    def run(example: Example) -> Outcome:
        try:
            with limit(claim.seconds):
                return claim.once(subject, reference, example)
        except TimeUp as error:
            return Outcome("refused", error, example)  # neither right nor wrong

    others = [run(example) for example in claim.drawn[: 2 if claim.costly else None]]
    failing = [outcome, *(each for each in others if each.kind == outcome.kind and each.example != outcome.example)]
    sentences: dict[str, str] = {}  # by what they say, whatever they say it of
    sources: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: under_conditions(outcome.example, run),
        lambda: _calls(claim, failing[:FAILURES], run, subject, reference),
        lambda: _evidence(failing),
        lambda: where(claim, outcome, others, run),
    )
    for source in sources:
        try:
            for sentence in source():
                if not _repeats(sentence, sentences.values()):
                    sentences.setdefault(_core(sentence), sentence)
        except (Exception, SystemExit, Stop):  # code that is wrong may do anything when it is called otherwise
            continue
    return list(sentences.values())[:SENTENCES]


def _evidence(failing: Sequence[Outcome]) -> Iterator[str]:
    """How what the law compared relates to what it expected."""
    errors = [each.error for each in failing if isinstance(each.error, Mismatch) and each.error.want is not None]
    if any(error.alike is not error.got or "should raise" in error.problem for error in errors):
        return  # in the learner's own words
    if not errors or len({_shape_of(error.problem) for error in errors}) > 1:
        return
    tensors = [
        Failure(error.got, error.want, sizes_of(Example(error.example)), error.given)
        for error in errors
        if isinstance(error.got, Tensor) and error.differs() is not None
    ]
    if len(tensors) == len(errors):
        yield from how(tensors)
    elif not tensors and all(type(error.got) is type(error.want) for error in errors):
        yield from how_plain([(error.got, error.want) for error in errors])


def _shape_of(problem: str) -> str:
    """A problem without what differs between examples."""
    return "".join(letter for letter in problem.split("(")[0] if not letter.isdigit())


def _calls(
    claim: Claim, failing: Sequence[Outcome], run: Callable[[Example], Outcome], subject: Subject, reference: Any
) -> Iterator[str]:
    """What is seen when the calls of the examples that fail are made again."""
    cases = []
    for outcome in failing:
        with subject.calls.logged() as log:
            again = run(outcome.example)
        if again.kind == outcome.kind:
            cases.append(Case(again, log[:CALLS]))
    if not cases:
        return
    with limit(ENDLESS), isolated(claim.double, []), _unwatched(subject):
        for case in cases:
            example = case.outcome.example
            dtype = torch.float64 if example.conditions.double(claim.double) else torch.float32
            case.right = []
            for twins in twins_of(case.calls, reference, sizes_of(example), dtype):
                if not twins.fickle and twins.random():
                    continue
                if twins.fickle or not alike(twins.got, twins.want):
                    case.wrong = twins
                    break
                case.right.append(twins)
        yield from _of_wrong_calls(cases)
        about = claim.sentence + str(cases[0].outcome.error)
        if "gradient" in about.lower() and not any(case.wrong for case in cases):
            for twins in cases[0].right or []:
                yield from (_named(sentence, twins) for sentence in gradients(twins))


@contextmanager
def _unwatched(subject: Subject) -> Iterator[None]:
    """Have calls made as they are meanwhile: no conditions, no log; a file that they write is lost."""
    before, subject.calls.inside = subject.calls.inside, True
    folder = os.getcwd()
    try:
        with tempfile.TemporaryDirectory() as empty:
            os.chdir(empty)
            try:
                yield
            finally:
                os.chdir(folder)
    finally:
        subject.calls.inside = before


def _of_wrong_calls(cases: Sequence[Case]) -> Iterator[str]:
    wrong = [case.wrong for case in cases if case.wrong is not None]
    wrong = [twins for twins in wrong if twins.call.name == wrong[0].call.name]
    if not wrong:
        return
    if wrong[0].fickle:
        yield _named("It draws random numbers, where nothing should be left to chance.", wrong[0])
        return
    relations = list(_how_calls(wrong))
    lost = any(twins.lost() for twins in wrong)  # nothing follows from NaN
    explained = [] if lost else list(counterfactuals(wrong))
    if not explained or not relations or not relations[0].startswith(WEAK):
        yield from (_named(sentence, wrong[0]) for sentence in relations)
    yield from (_named(sentence, wrong[0]) for sentence in explained)
    for source in () if lost else (dependences, parts, simplified):
        yield from (_named(sentence, wrong[0]) for sentence in source(wrong))


def _how_calls(wrong: Sequence[Twins]) -> Iterator[str]:
    failures, pairs = [], []
    changed = set()
    for twins in wrong:
        at = _differing(twins.got, twins.want)
        got, want = (twins.got, twins.want) if at is None else (twins.got[at], twins.want[at])
        changed.add(twins.effects[at - 1] if twins.effects and at else "")
        if isinstance(got, Tensor) and isinstance(want, Tensor) and got.shape == want.shape and got.dtype == want.dtype:
            inputs = {name: plain(value) for name, value in twins.arguments.items() if isinstance(value, Tensor)}
            failures.append(Failure(got, want, twins.sizes, inputs))
        elif type(got) is type(want):
            pairs.append((got, want))
    sentences = how(failures) if len(failures) == len(wrong) else how_plain(pairs) if len(pairs) == len(wrong) else ()
    for sentence in sentences:
        if changed == {""}:
            yield sentence
        elif "" not in changed:
            what = f"`{changed.pop()}`" if len(changed) == 1 else "the weights"
            yield re.sub("^It ", f"The change that `{wrong[0].name}` makes to {what} ", sentence)


def _differing(got: Any, want: Any) -> int | None:
    """The first part of two results that differs, where they have parts."""
    if isinstance(got, tuple) and isinstance(want, tuple) and len(got) == len(want):
        return next((at for at, pair in enumerate(zip(got, want)) if not alike(*pair)), None)
    return None


def _repeats(sentence: str, before: Iterable[str]) -> bool:
    """Whether that something has no effect follows from what stands there already."""
    name = re.search(r"does not change with (?:an? .* of )?(`[^`]+`)", sentence)
    return name is not None and any(name.group(1) in each for each in before)


def _core(sentence: str) -> str:
    """What a sentence says, whatever it says it of."""
    return re.sub(r"^(It|What `\w+` gives) |^`\w+`: ", "", sentence).lower()


def _named(sentence: str, twins: Twins) -> str:
    """A sentence about "it" as a sentence about what was called."""
    for start, rest in (("It ", " "), ("What it gives ", " ")):
        if sentence.startswith(start):
            return f"What `{twins.name}` gives{rest}{sentence.removeprefix(start)}"
    if f"`{twins.name}`" in sentence:
        return sentence
    return f"`{twins.name}`: {sentence[0].lower()}{sentence[1:]}"
