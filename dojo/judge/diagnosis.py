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
from dataclasses import dataclass
from typing import Any

from ..curriculum.catalog import Kata
from ..sandbox.loader import Workspace
from ..sandbox.source import LoadError
from ..sandbox.subject import Subject
from ..spec.check import same
from ..spec.claims import Claim, Example, Outcome
from ..spec.errors import Stop
from ..spec.mistakes import Mistake, compose
from ..spec.suite import Suite
from .coverage import Reach
from .verdict import Relation

RICHER = 6  # examples of the failing claim, beside the smallest that fails
OTHER = 1  # which example of each other claim: the first is the simplest, and too much alike for many mistakes
SHOWN = 3  # more suspects than this are no help

Suspect = tuple[Mistake, ...]  # one mistake, or two at once
Evidence = tuple[Any, ...]
UNFIT: Evidence = ("unfit",)  # two changes that do not go together


@dataclass(frozen=True)
class Diagnosis:
    """What a wrong answer looks like: the mistakes, and how they belong together (see `Verdict`)."""

    mistakes: tuple[Mistake, ...] = ()
    relation: Relation = "one"


@dataclass
class Trial:
    """Checks to be made on the learner's code and again on suspects, once there is a suspect to compare it with."""

    checks: Sequence[tuple[Claim, Example]]
    ask: Callable[[Claim, Example], Evidence | None]  # the learner's answer; none where no time is left

    @functools.cached_property
    def answered(self) -> list[tuple[Claim, Example, Evidence]]:
        """The checks with the learner's answers; those that failed come first: they tell most suspects apart at once.

        Steps that are not started say nothing.
        """
        found = []
        for claim, example in self.checks:
            answer = self.ask(claim, example)
            if answer is None:
                break
            if answer[0] not in ("not_started", "missing"):
                found.append((claim, example, answer))
        return sorted(found, key=lambda check: check[2][0] == "passed")


class OutOfTime(Exception):
    """The budget is used up, and not every suspect was asked."""


class Detective:
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
        self.deadline = time.process_time() + seconds
        self.sources: dict[Suspect, str | None] = {}
        self.failing: dict[str, bool] = {}  # by the names of claims
        self.singles: list[Suspect] = []  # single mistakes that give the learner's answers to the failing claim

    def diagnose(self, claim: Claim, outcome: Outcome) -> Diagnosis:
        """Name the mistakes that give the learner's answer to `claim`, or none."""
        if claim.slow:
            return Diagnosis()
        self.failing[claim.name] = True
        first = Trial([(claim, outcome.example)], lambda *_: outcome.evidence)
        richer = Trial([(claim, example) for example in claim.drawn[:RICHER]], self._learners)
        others = Trial(
            [(other, other.drawn[min(OTHER, len(other.drawn) - 1)]) for other in self._asked(claim)], self._learners
        )
        try:
            return self._search(claim.step, first, richer, others)
        except OutOfTime:  # who was not asked yet may be the one, so only what was found among all counts
            return _either(self.likely(self.singles, others, claim.step))

    def _asked(self, claim: Claim) -> list[Claim]:
        """The other claims that the learner's code and suspects are compared on."""
        open_claims = [other for other in self.suite.claims if other.step not in self.held]
        return [other for other in open_claims if not (other is claim or other.slow or other.costly)]

    def _search(self, step: int, first: Trial, richer: Trial, others: Trial) -> Diagnosis:
        bank = [one for one in self.suite.mistakes if self.suite.step_of(one) not in self.held]
        self.singles = self.shown(self.consistent([(mistake,) for mistake in bank], first, richer))
        if whole := self.consistent(self.singles, others):
            return _either(whole)
        known = {mistake for single in self.singles for mistake in single}
        if not known:  # the steps before this one passed, and what comes after it may not be written
            here = self.shown([(one,) for one in bank if self.suite.step_of(one) == step])
            fitting = self.consistent(_pairs(here), first, richer)
            return _both(self.consistent(fitting, others) or self.likely(fitting, others, step))
        pairs = [pair for pair in _pairs(self.shown([(one,) for one in bank])) if known & set(pair)]
        # What the known ones leave unexplained comes first: there a second one has to show.
        others.answered.sort(key=lambda check: all(self._agrees(single, *check) for single in self.singles))
        whole = self.consistent(pairs, others, first, richer)
        return _both(whole) if whole else _either(self.likely(self.singles, others, step))

    def consistent(self, suspects: Sequence[Suspect], *trials: Trial) -> list[Suspect]:
        """The suspects that give the learner's answers in every trial. Raises OutOfTime."""
        return [suspect for suspect in suspects if all(self._gives(suspect, trial) for trial in trials)]

    def shown(self, suspects: Sequence[Suspect]) -> list[Suspect]:
        """The suspects of which the learner's code fails the very property that catches each mistake: that code which
        passes there has not made it, whatever else it has in common with it."""
        return [suspect for suspect in suspects if all(self._fails(mistake.caught_by) for mistake in suspect)]

    def _fails(self, name: str) -> bool:
        if name not in self.failing:
            claim = self.suite.claim(name)
            unknown = claim.slow or claim.costly or time.process_time() > self.deadline
            self.failing[name] = unknown or claim.tried(self.subject, self.reference).kind != "passed"
        return self.failing[name]

    def likely(self, suspects: Sequence[Suspect], trial: Trial, step: int) -> list[Suspect]:
        """Of suspects that explain a part only, those that fail nowhere where the learner's code is right (a mistake
        that was made shows there too), and sooner those that give a wrong answer, or an error, where it does.

        Only up to this step: a later one of the learner's need not build on the faulty one.
        """
        if not suspects:
            return []
        checks = [check for check in trial.answered if check[0].step <= step]
        learner = [answer[0] for _, _, answer in checks]
        kinds = {one: [self._evidence(one, claim, example)[0] for claim, example, _ in checks] for one in suspects}
        left = [one for one in suspects if not any(a == "passed" != b for a, b in zip(learner, kinds[one]))]
        return [one for one in left if kinds[one] == learner] or left

    def _gives(self, suspect: Suspect, trial: Trial) -> bool:
        known = self._is_learners(suspect)  # nothing is compared with itself
        return (known or all(self._agrees(suspect, *check) for check in trial.answered)) and self._in_time()

    def _agrees(self, suspect: Suspect, claim: Claim, example: Example, answer: Evidence) -> bool:
        return self._in_time() and same(self._evidence(suspect, claim, example), answer)

    def _in_time(self) -> bool:
        if time.process_time() > self.deadline:
            raise OutOfTime
        return True

    def _is_learners(self, suspect: Suspect) -> bool:
        """Whether this is the learner's code to the letter."""
        return self._source(suspect) == self.subject.source and not self.builds_on_own

    def _learners(self, claim: Claim, example: Example) -> Evidence | None:
        """What the learner's code answers; none when the time is over."""
        if time.process_time() > self.deadline:
            return None
        return claim.once(self.subject, self.reference, example).evidence

    def _evidence(self, suspect: Suspect, claim: Claim, example: Example) -> Evidence:
        """What a suspect answers; it is worked out once, for as long as the workspace lives."""
        source = self._source(suspect)
        if source is None:
            return UNFIT
        key = (self.kata.slug, source, claim.name, example.text)
        memory = self.workspace.memory
        if key not in memory:
            if all(self._misses((one,), claim, example) for one in suspect):
                memory[key] = Outcome("passed").evidence
            else:
                subject = self._subject(suspect, source)
                memory[key] = claim.once(subject, self.reference, example).evidence if subject else UNFIT
        return memory[key]

    def _misses(self, suspect: Suspect, claim: Claim, example: Example) -> bool:
        """Whether a single mistake stands where the check does not come."""
        source, memory = self._source(suspect), self.workspace.memory
        if self.kata not in memory:
            memory[self.kata] = Reach(self.kata, self.workspace, self.solution)
        return source is not None and memory[self.kata].misses(source, claim, example)

    def _source(self, suspect: Suspect) -> str | None:
        if suspect not in self.sources:
            self.sources[suspect] = compose(suspect, self.solution)
        return self.sources[suspect]

    def _subject(self, suspect: Suspect, source: str) -> Subject | None:
        memory, key = self.workspace.memory, (self.kata.slug, source)
        if key not in memory:
            name = " and ".join(mistake.name for mistake in suspect)
            try:
                memory[key] = self.workspace.variant(self.kata, source, name)
            except (LoadError, Exception, Stop):
                memory[key] = None
        return memory[key]


def _pairs(singles: Sequence[Suspect]) -> list[Suspect]:
    return [one + other for one, other in itertools.combinations(singles, 2)]


def _either(suspects: Sequence[Suspect]) -> Diagnosis:
    if not 1 <= len(suspects) <= SHOWN:
        return Diagnosis()
    mistakes = tuple(suspect[0] for suspect in suspects)
    return Diagnosis(mistakes, "one" if len(mistakes) == 1 else "either")


def _both(pairs: Sequence[Suspect]) -> Diagnosis:
    if len(pairs) == 1:
        return Diagnosis(tuple(pairs[0]), "both")
    common = set.intersection(*map(set, pairs)) if pairs else set()
    return Diagnosis(tuple(common), "includes") if common else Diagnosis()
