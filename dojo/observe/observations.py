"""What can be said of a wrong answer though nobody has written the mistake down: at most three true sentences.

How: a relation of the answer to the expected one, or what the reference would have to be given to answer so. On what:
inputs that the answer depends on and should not, or should and does not. Where: what makes the code right.
"""

from __future__ import annotations

import inspect
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..sandbox.limits import limit
from ..sandbox.subject import Subject
from ..spec.check import Mismatch
from ..spec.claims import Claim, Example, Outcome
from ..spec.errors import Stop, TimeUp
from ..spec.isolation import isolated
from .dependence import dependences, gradients, right_when
from .interventions import interventions
from .lockstep import Case, Divergence, case_of, described, find_divergence
from .options import as_if
from .relations import how
from .replay import Replay
from .sequences import how_plain
from .submodules import submodules
from .tracing import first_difference, first_nan
from .values import Failure
from .where import contents, known_names, sizes_of, under_conditions, where

SENTENCES = 3
FAILURES = 6  # examples that fail of which the calls are looked at
CALLS = 40  # of one example
ENDLESS = 60.0  # seconds of processor time after which calls made again are given up: one of them does not end
WEAK = ("all its entries", "all entries are", "is nearly")  # relations that say less than a reason does


@dataclass
class Observed:
    """What all sources look at: a claim, its failing examples, the code under test and the solution."""

    claim: Claim
    failing: list[Outcome]
    others: list[Outcome]
    subject: Subject
    solution: Subject
    reference: Any
    cases: list[Case] = field(default_factory=list)

    def run(self, example: Example) -> Outcome:
        """Check the claim on an example."""
        try:
            with limit(self.claim.seconds):
                return self.claim.once(self.subject, self.reference, example)
        except TimeUp as error:
            return Outcome("refused", error, example)  # neither right nor wrong


def observe(claim: Claim, outcome: Outcome, subject: Subject, solution: Subject, reference: Any) -> list[str]:
    """Sentences about why a claim fails, the most telling first; `outcome` is on the example that is shown."""
    seen = Observed(claim, [outcome], [], subject, solution, reference)
    seen.others = [seen.run(example) for example in claim.drawn[: 2 if claim.costly else None]]
    seen.failing += [each for each in seen.others if each.kind == outcome.kind and each.example != outcome.example]
    sentences: dict[str, str] = {}  # by what they say, whatever they say it of
    sources: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: under_conditions(outcome.example, seen.run),
        lambda: _of_calls(seen),
        lambda: _defaults(seen),
        lambda: _options(seen),
        lambda: _evidence(seen.failing),
        lambda: where(claim, outcome, seen.others, seen.run, known_names(reference)),
    )
    for source in sources:
        try:
            for sentence in source():
                if not _repeats(sentence, sentences.values()) and not (sentences and _core(sentence).startswith(WEAK)):
                    sentences.setdefault(_core(sentence), sentence)
        except (Exception, SystemExit, Stop):  # code that is wrong may do anything when it is called otherwise
            continue
    return list(sentences.values())[:SENTENCES]


def _evidence(failing: Sequence[Outcome]) -> Iterator[str]:
    """How what the law compared relates to what it expected."""
    errors = [each.error for each in failing if isinstance(each.error, Mismatch) and each.error.want is not None]
    if any("should raise" in error.problem for error in errors):
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
    elif not tensors and all(type(each.got) is type(each.want) and each.alike is each.got for each in errors):
        sizes = [sizes_of(Example(error.example)) for error in errors]
        yield from how_plain([(error.got, error.want) for error in errors], sizes)


def _shape_of(problem: str) -> str:
    """A problem without what differs between examples."""
    return "".join(letter for letter in problem.split("(")[0] if not letter.isdigit())


def _of_calls(seen: Observed) -> Iterator[str]:
    """What is seen of the first call that is wrong in each example that fails, when it is made again, and changed."""
    for outcome in seen.failing[: 2 if seen.claim.costly else FAILURES]:
        case = case_of(seen.claim, seen.subject, seen.solution, seen.reference, outcome.example)
        if case.outcome.kind == outcome.kind:
            seen.cases.append(case)
    with limit(ENDLESS), isolated(seen.claim.double, []), _unwatched(seen.subject, seen.solution):
        for case in seen.cases:
            example = case.outcome.example
            dtype = torch.float64 if example.conditions.double(seen.claim.double) else torch.float32
            find_divergence(case, sizes_of(example), dtype)
        wrong = [case.wrong for case in seen.cases if case.wrong is not None]
        yield from _of_wrong_calls(wrong)
        replays = [each.replay for each in wrong if each.replay is not None]
        if replays:
            title = replays[0].call.title
            right = [replay for case in seen.cases for replay in case.right if replay.call.title == title]
            arguments = ([r.arguments for r in replays if r.call.title == title], [r.arguments for r in right])
            yield from (_of(sentence, title) for sentence in contents(*arguments, "It is wrong"))
        about = seen.claim.sentence + "".join(str(case.outcome.error) for case in seen.cases[:1])
        if "gradient" in about.lower() and not wrong:
            for replay in seen.cases[0].right if seen.cases else ():
                yield from (_named(sentence, replay) for sentence in gradients(replay))


@contextmanager
def _unwatched(*subjects: Subject) -> Iterator[None]:
    """Have calls made as they are meanwhile: no conditions, no hook; a file that they write is lost."""
    before = [subject.calls.inside for subject in subjects]
    for subject in subjects:
        subject.calls.inside = True
    folder = os.getcwd()
    try:
        with tempfile.TemporaryDirectory() as empty:
            os.chdir(empty)
            try:
                yield
            finally:
                os.chdir(folder)
    finally:
        for subject, inside in zip(subjects, before):
            subject.calls.inside = inside


def _of_wrong_calls(wrong: Sequence[Divergence]) -> Iterator[str]:
    if not wrong:
        return
    first = wrong[0]
    wrong = [each for each in wrong if (each.call.name, bool(each.what)) == (first.call.name, bool(first.what))]
    replays = [each.replay for each in wrong if each.replay is not None]
    if any(replay.nondeterministic for replay in replays):
        yield _of("It changes from call to call, though nothing else does: is it random, or kept?", first.call.title)
        return
    relations = list(described(wrong))
    finite = [replay for replay in replays if not replay.lost()]  # nothing follows from NaN
    explained = list(interventions(finite)) if finite and len(finite) == len(wrong) else []
    if not explained or not relations or not _core(relations[0]).startswith(WEAK):
        yield from (_of(sentence, first.call.title) for sentence in relations)
    yield from (_named(sentence, finite[0]) for sentence in explained)
    sources = (dependences, submodules) if explained else (first_difference, dependences, submodules, right_when)
    if len(finite) < len(replays):
        yield from (_named(sentence, replays[0]) for sentence in first_nan(replays))
    parted = False
    for source in sources if finite else ():
        for sentence in source(finite):
            if not (parted and source is submodules and not sentence.startswith("Its part")):  # which says less
                yield _named(sentence, finite[0])
            parted |= source is first_difference


def _options(seen: Observed) -> Iterator[str]:
    """An argument that has no effect."""
    if seen.failing[0].kind == "mismatch" and not seen.claim.costly and seen.cases:
        with limit(ENDLESS):
            yield from filter(None, [as_if(seen.claim, seen.solution, seen.reference, seen.cases)])


def _defaults(seen: Observed) -> Iterator[str]:
    """Defaults that are not those of the contract, of what was called without them."""
    for call in {call.name: call for case in seen.cases[:1] for call in case.own if call.given}.values():
        contract: Any = seen.reference
        for part in call.name.split("."):
            contract = getattr(contract, part, None)
        if contract is None:
            continue
        parameters = inspect.signature(call.function).parameters
        positional, named = call.given or ((), {})
        given = {*list(parameters)[: len(positional)], *named}
        for name, parameter in inspect.signature(contract).parameters.items():
            if name in parameters and name not in given and parameter.default is not inspect.Parameter.empty:
                own = parameters[name].default
                if own is inspect.Parameter.empty or own != parameter.default:
                    actual = "it has none" if own is inspect.Parameter.empty else f"it is {own!r}"
                    yield f"The default of `{name}` in `{call.title}` should be {parameter.default!r}, and {actual}."


def _repeats(sentence: str, before: Iterable[str]) -> bool:
    """Whether that something has no effect follows from what stands there already."""
    name = re.search(r"does not change with (?:an? .* of )?(`[^`]+`)", sentence)
    return name is not None and any(name.group(1) in each for each in before)


def _core(sentence: str) -> str:
    """What a sentence says, whatever it says it of."""
    return re.sub(
        r"^(It|What `\w+` (gives|makes of [^,]+?)) (?=is|does|changes|would|becomes)|^`\w+`: ", "", sentence
    ).lower()


def _named(sentence: str, replay: Replay) -> str:
    """A sentence about "it" as a sentence about what a call gives, or makes of what it changes."""
    return _of(sentence, replay.call.title, f"makes of {replay.what}" if replay.what else "gives")


def _of(sentence: str, name: str, gives: str = "gives") -> str:
    for start in ("It ", "What it gives "):
        if sentence.startswith(start):
            return f"What `{name}` {gives} {sentence.removeprefix(start)}"
    return sentence if f"`{name}`" in sentence else f"`{name}`: {sentence[0].lower()}{sentence[1:]}"
