"""Name the misunderstanding behind a wrong answer, by finding the known mistake that gives the same one.

Nothing here reads the learner's source. The smallest failing example is run on every mistake of the bank; those that
give exactly the learner's answer are tried on richer examples of the same claim, and then on the kata's other
claims. Where no single mistake explains everything that was seen, pairs are tried. No match, no guess.

A mistake in a function that an example never runs is not run on it: it answers as the solution does.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from ..curriculum.catalog import Kata
from ..sandbox.loader import Workspace
from ..sandbox.source import LoadError
from ..sandbox.subject import Subject
from ..spec.check import same
from ..spec.claims import Claim, Example, Outcome
from ..spec.errors import Stop
from ..spec.mistakes import Mistake, compose
from ..spec.suite import Suite
from .coverage import Coverage
from .verdict import Relation

RICHER = 6  # examples of the failing claim, beside the smallest that fails
OTHER = 1  # which example of each other claim: the first is the simplest, and too much alike for many mistakes
SHOWN = 3  # more candidates than this are no help

Candidate = tuple[Mistake, ...]  # one mistake, or two at once
Evidence = tuple[Any, ...]
UNFIT: Evidence = ("unfit",)  # two changes that do not go together


@dataclass(frozen=True)
class Diagnosis:
    """What a wrong answer looks like: the mistakes, and how they belong together (see `Verdict`)."""

    mistakes: tuple[Mistake, ...] = ()
    relation: Relation = "one"


@dataclass
class Comparison:
    """Checks to be made on the learner's code and again on candidates, once there is a candidate to compare it with."""

    checks: Sequence[tuple[Claim, Example]]
    ask: Callable[[Claim, Example], Evidence | None]  # the learner's answer; none where no time is left

    @functools.cached_property
    def answered(self) -> list[tuple[Claim, Example, Evidence]]:
        """The checks with the learner's answers; those that failed come first: they tell most candidates apart at once.

        Steps that are not started say nothing.
        """
        answered = []
        for claim, example in self.checks:
            answer = self.ask(claim, example)
            if answer is None:
                break
            if answer[0] not in ("not_started", "missing"):
                answered.append((claim, example, answer))
        return sorted(answered, key=lambda check: check[2][0] == "passed")


@dataclass
class Memory:
    """What was worked out of the mistakes of a kata; it lives as long as the workspace."""

    coverage: Coverage
    subjects: dict[str, Subject | None] = field(default_factory=dict)  # by text; None: it cannot be loaded
    answers: dict[tuple[str, str, str], Evidence] = field(default_factory=dict)  # by text, claim and example


_memories: WeakKeyDictionary[Workspace, dict[Kata, Memory]] = WeakKeyDictionary()


class OutOfTime(Exception):
    """The budget is used up, and not every candidate was asked."""


class Diagnoser:
    """Finds the mistakes that explain a failure.

    Its budget is in seconds of processor time, so that a busy machine says the same as an idle one.
    """

    def __init__(
        self,
        kata: Kata,
        workspace: Workspace,
        suite: Suite,
        subject: Subject,
        held: Collection[int] = (),
        seconds: float = 1.1,
    ):
        """`held` are the steps that are known to hold: no mistake that is caught there was made."""
        self.kata, self.workspace, self.suite, self.subject, self.held = kata, workspace, suite, subject, held
        self.builds_on_own = bool(set(kata.needs) & workspace.solved)  # on parts that the learner wrote
        self.reference = workspace.reference(kata)
        self.solution = kata.solution.read_text(encoding="utf-8")
        memories = _memories.setdefault(workspace, {})
        if kata not in memories:
            memories[kata] = Memory(Coverage(kata, workspace, self.solution))
        self.memory = memories[kata]
        self.deadline = time.process_time() + seconds
        self.sources: dict[Candidate, str | None] = {}
        self.failing: dict[str, bool] = {}  # by the names of claims
        self.singles: list[Candidate] = []  # single mistakes that give the learner's answers to the failing claim

    def diagnose(self, claim: Claim, outcome: Outcome) -> Diagnosis:
        """Name the mistakes that give the learner's answer to `claim`, or none."""
        if claim.slow:
            return Diagnosis()
        self.failing[claim.name] = True
        first = Comparison([(claim, outcome.example)], lambda *_: outcome.evidence)
        richer = Comparison([(claim, example) for example in claim.drawn[:RICHER]], self._learners)
        others = Comparison(
            [(other, other.drawn[min(OTHER, len(other.drawn) - 1)]) for other in self._asked(claim)], self._learners
        )
        try:
            return self._search(claim.step, first, richer, others)
        except OutOfTime:  # who was not asked yet may be the one, so only what was found among all counts
            return _either(self.likely(self.singles, others, claim.step))

    def _asked(self, claim: Claim) -> list[Claim]:
        """The other claims that the learner's code and candidates are compared on."""
        open_claims = [other for other in self.suite.claims if other.step not in self.held]
        return [other for other in open_claims if not (other is claim or other.slow or other.costly)]

    def _search(self, step: int, first: Comparison, richer: Comparison, others: Comparison) -> Diagnosis:
        bank = [(mistake,) for mistake in self.suite.mistakes if self.suite.step_of(mistake) not in self.held]
        self.singles = self.shown(self.consistent(bank, first, richer))
        if whole := self.consistent(self.singles, others):
            return _either(whole)
        known = {mistake for single in self.singles for mistake in single}
        if not known:  # the steps before this one passed, and what comes after it may not be written
            here = self.shown([single for single in bank if self.suite.step_of(single[0]) == step])
            fitting = self.consistent(_pairs(here), first, richer)
            return _both(self.consistent(fitting, others) or self.likely(fitting, others, step))
        pairs = [pair for pair in _pairs(self.shown(bank)) if known & set(pair)]
        # What the known ones leave unexplained comes first: there a second one has to show.
        others.answered.sort(key=lambda check: all(self._agrees(single, *check) for single in self.singles))
        whole = self.consistent(pairs, others, first, richer)
        return _both(whole) if whole else _either(self.likely(self.singles, others, step))

    def consistent(self, candidates: Sequence[Candidate], *comparisons: Comparison) -> list[Candidate]:
        """The candidates that give the learner's answers in every comparison. Raises OutOfTime."""
        return [
            candidate
            for candidate in candidates
            if all(self._gives(candidate, comparison) for comparison in comparisons)
        ]

    def shown(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates of which the learner's code fails the very property that catches each mistake: that code which
        passes there has not made it, whatever else it has in common with it."""
        return [candidate for candidate in candidates if all(self._fails(mistake.caught_by) for mistake in candidate)]

    def _fails(self, name: str) -> bool:
        if name not in self.failing:
            claim = self.suite.claim(name)
            unknown = claim.slow or claim.costly or time.process_time() > self.deadline
            self.failing[name] = unknown or claim.tried(self.subject, self.reference).kind != "passed"
        return self.failing[name]

    def likely(self, candidates: Sequence[Candidate], comparison: Comparison, step: int) -> list[Candidate]:
        """Of candidates that explain a part only, those that fail nowhere where the learner's code is right (a mistake
        that was made shows there too), and sooner those that give a wrong answer, or an error, where it does.

        Only up to this step: a later one of the learner's need not build on the faulty one.
        """
        if not candidates:
            return []
        checks = [check for check in comparison.answered if check[0].step <= step]
        learner = [answer[0] for _, _, answer in checks]
        kinds = {each: [self._evidence(each, claim, example)[0] for claim, example, _ in checks] for each in candidates}
        left = [each for each in candidates if not any(a == "passed" != b for a, b in zip(learner, kinds[each]))]
        return [each for each in left if kinds[each] == learner] or left

    def _gives(self, candidate: Candidate, comparison: Comparison) -> bool:
        known = self._is_learners(candidate)  # nothing is compared with itself
        return (known or all(self._agrees(candidate, *check) for check in comparison.answered)) and self._in_time()

    def _agrees(self, candidate: Candidate, claim: Claim, example: Example, answer: Evidence) -> bool:
        return self._in_time() and same(self._evidence(candidate, claim, example), answer)

    def _in_time(self) -> bool:
        if time.process_time() > self.deadline:
            raise OutOfTime
        return True

    def _is_learners(self, candidate: Candidate) -> bool:
        """Whether this is the learner's code to the letter."""
        return self._source(candidate) == self.subject.source and not self.builds_on_own

    def _learners(self, claim: Claim, example: Example) -> Evidence | None:
        """What the learner's code answers; none when the time is over."""
        if time.process_time() > self.deadline:
            return None
        return claim.once(self.subject, self.reference, example).evidence

    def _evidence(self, candidate: Candidate, claim: Claim, example: Example) -> Evidence:
        """What a candidate answers; it is worked out once, for as long as the workspace lives."""
        source = self._source(candidate)
        if source is None:
            return UNFIT
        key = source, claim.name, example.text
        answers = self.memory.answers
        if key not in answers:
            if all(self._misses(mistake, claim, example) for mistake in candidate):
                answers[key] = Outcome("passed").evidence
            else:
                subject = self._subject(candidate, source)
                answers[key] = claim.once(subject, self.reference, example).evidence if subject else UNFIT
        return answers[key]

    def _misses(self, mistake: Mistake, claim: Claim, example: Example) -> bool:
        """Whether a mistake stands where the claim does not come."""
        source = self._source((mistake,))
        return source is not None and self.memory.coverage.misses(source, claim, example)

    def _source(self, candidate: Candidate) -> str | None:
        if candidate not in self.sources:
            self.sources[candidate] = compose(candidate, self.solution)
        return self.sources[candidate]

    def _subject(self, candidate: Candidate, source: str) -> Subject | None:
        subjects = self.memory.subjects
        if source not in subjects:
            name = " and ".join(mistake.name for mistake in candidate)
            try:
                subjects[source] = self.workspace.variant(self.kata, source, name)
            except (LoadError, Exception, Stop):
                subjects[source] = None
        return subjects[source]


def _pairs(singles: Sequence[Candidate]) -> list[Candidate]:
    return [first + second for first, second in itertools.combinations(singles, 2)]


def _either(candidates: Sequence[Candidate]) -> Diagnosis:
    if not 1 <= len(candidates) <= SHOWN:
        return Diagnosis()
    mistakes = tuple(candidate[0] for candidate in candidates)
    return Diagnosis(mistakes, "one" if len(mistakes) == 1 else "either")


def _both(pairs: Sequence[Candidate]) -> Diagnosis:
    if len(pairs) == 1:
        return Diagnosis(tuple(pairs[0]), "both")
    common = set.intersection(*map(set, pairs)) if pairs else set()
    return Diagnosis(tuple(common), "includes") if common else Diagnosis()
