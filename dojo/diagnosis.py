"""Name the misunderstanding behind a wrong answer, by finding the known mistake that gives the same one.

Nothing here reads the learner's source. The smallest failing example is run on every mistake of the bank; those that
give exactly the learner's answer are tried on richer examples of the same claim, and then on the kata's other
claims. Where no single mistake explains everything that was seen, pairs are tried. No match, no guess.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .catalog import Kata
from .check import same
from .claims import Claim, Example, Outcome, Stop
from .mistakes import Mistake, compose
from .suite import Suite
from .workspace import LoadError, Subject, Workspace

RICHER = 6  # examples of the failing claim, beside the smallest that fails
OTHER = 1  # which example of each other claim: the first is the simplest, and too much alike for many mistakes
SHOWN = 3  # more suspects than this are no help

Suspect = tuple[Mistake, ...]  # one mistake, or two at once
Evidence = tuple[Any, ...]
UNFIT: Evidence = ("unfit",)  # two changes that do not go together


@dataclass(frozen=True)
class Diagnosis:
    """What a wrong answer looks like. `relation` tells how the mistakes belong together.

    "one": it is this; "both": these two at once; "either": one of these, which no example tells apart;
    "includes": this one, and another that stayed unnamed.
    """

    mistakes: tuple[Mistake, ...] = ()
    relation: str = "one"


@dataclass
class Trial:
    """The checks that were made on the learner's code, to be made again on suspects."""

    checks: list[tuple[Claim, Example]] = field(default_factory=list)
    answers: list[Evidence] = field(default_factory=list)

    def up_to(self, step: int) -> Trial:
        """The checks of this step and of those before it."""
        kept = [i for i, (claim, _) in enumerate(self.checks) if claim.step <= step]
        return self._of(kept)

    def failures_first(self) -> Trial:
        """The same checks; those that failed tell most suspects apart at once."""
        return self._of(sorted(range(len(self.checks)), key=lambda i: self.answers[i][0] == "passed"))

    def _of(self, chosen: list[int]) -> Trial:
        return Trial([self.checks[i] for i in chosen], [self.answers[i] for i in chosen])


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
        self.subjects: dict[Suspect, Subject | None] = {}
        self.failing: dict[str, bool] = {}  # by the names of claims
        self.singles: list[Suspect] = []  # single mistakes that give the learner's answers to the failing claim
        self.others = Trial()

    def diagnose(self, claim: Claim, outcome: Outcome) -> Diagnosis:
        """Name the mistakes that give the learner's answer to `claim`, or none."""
        if claim.slow:
            return Diagnosis()
        try:
            return self._search(claim, outcome)
        except OutOfTime:  # who was not asked yet may be the one, so only what was found among all counts
            return _either(self.likely(self.singles, self.others.up_to(claim.step)))

    def _search(self, claim: Claim, outcome: Outcome) -> Diagnosis:
        first = Trial([(claim, outcome.example)], [outcome.evidence])
        self.failing[claim.name] = True
        richer = self.trial((claim, example) for example in claim.drawn[:RICHER])
        bank = [one for one in self.suite.mistakes if self.suite.step_of(one) not in self.held]
        self.singles = self.shown(self.consistent([(mistake,) for mistake in bank], first, richer))
        self.others = self.trial(
            (other, other.drawn[min(OTHER, len(other.drawn) - 1)])
            for other in self.suite.claims
            if other is not claim and not other.slow and not other.costly and other.step not in self.held
        ).failures_first()
        if whole := self.consistent(self.singles, self.others):
            return _either(whole)
        known = [single[0] for single in self.singles]
        here = [one for one in bank if self.suite.step_of(one) == claim.step]  # the steps before this one passed
        pairs = list(itertools.combinations(bank if known else here, 2))
        if known:
            pairs = [pair for pair in pairs if set(pair) & set(known)]
        fitting = self.shown(self.consistent(pairs, first, richer))
        if whole := self.consistent(fitting, self.others):
            return _both(whole)
        written = self.others.up_to(claim.step)  # a later step of the learner's need not build on the faulty one
        return _either(self.likely(self.singles, written)) if known else _both(self.likely(fitting, written))

    def trial(self, checks: Iterable[tuple[Claim, Example]]) -> Trial:
        """The learner's answers to some checks; steps that are not started say nothing."""
        found = Trial()
        for claim, example in checks:
            if time.process_time() > self.deadline:
                break
            answer = self._learners(claim, example)
            if answer[0] not in ("not_started", "missing"):
                found.checks.append((claim, example))
                found.answers.append(answer)
        return found

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

    def likely(self, suspects: Sequence[Suspect], trial: Trial) -> list[Suspect]:
        """Of suspects that explain a part only, those that fail nowhere where the learner's code is right (a mistake
        that was made shows there too), and sooner those that give a wrong answer, or an error, where it does."""
        learner = [answer[0] for answer in trial.answers]
        kinds = {suspect: self._kinds(suspect, trial) for suspect in suspects}
        left = [one for one in suspects if not any(a == "passed" != b for a, b in zip(learner, kinds[one]))]
        return [one for one in left if kinds[one] == learner] or left

    def _kinds(self, suspect: Suspect, trial: Trial) -> list[str]:
        return [self._evidence(suspect, claim, example)[0] for claim, example in trial.checks]

    def _gives(self, suspect: Suspect, trial: Trial) -> bool:
        for (claim, example), answer in zip(trial.checks, trial.answers):
            if time.process_time() > self.deadline:
                raise OutOfTime
            if not same(self._evidence(suspect, claim, example), answer):
                return False
        return True

    def _learners(self, claim: Claim, example: Example) -> Evidence:
        """What the learner's code answers; that of a text which builds on the reference alone is known for good."""
        if self.builds_on_own:
            return claim.once(self.subject, self.reference, example).evidence
        return self._remembered(self.subject.source, lambda: self.subject, claim, example)

    def _evidence(self, suspect: Suspect, claim: Claim, example: Example) -> Evidence:
        """What a suspect answers."""
        if suspect not in self.sources:
            self.sources[suspect] = compose(suspect, self.solution)
        source = self.sources[suspect]
        if source is None:
            return UNFIT
        return self._remembered(source, lambda: self._subject(suspect, source), claim, example)

    def _remembered(self, source: str, load: Callable[[], Subject | None], claim: Claim, example: Example) -> Evidence:
        """What a text answers; it is worked out once, for as long as the workspace lives."""
        key = (self.kata.slug, source, claim.name, example.text)
        memory = self.workspace.memory
        if key not in memory:
            subject = load()
            memory[key] = claim.once(subject, self.reference, example).evidence if subject else UNFIT
        return memory[key]

    def _subject(self, suspect: Suspect, source: str) -> Subject | None:
        if suspect not in self.subjects:
            name = " and ".join(mistake.name for mistake in suspect)
            try:
                self.subjects[suspect] = self.workspace.variant(self.kata, source, name)
            except (LoadError, Exception, Stop):
                self.subjects[suspect] = None
        return self.subjects[suspect]


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
