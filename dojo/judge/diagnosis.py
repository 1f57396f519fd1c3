"""Name the misunderstanding behind a wrong answer, by finding the known mistake that gives the same one.

Nothing here reads the learner's source. Their code is run on the fixed examples of the claim that fails, and of the
others, and its answers are looked up in the index among those of all known mistakes. Where no single mistake explains
everything that was seen, pairs are run. No match, no guess.

What is looked for is bounded in numbers of checks and of pairs, never in seconds: the same code gets the same name on
every machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..curriculum.catalog import Kata
from ..sandbox.loader import Workspace
from ..sandbox.source import LoadError, read_source
from ..sandbox.subject import Subject
from ..spec.claims import Claim, Outcome
from ..spec.errors import Stop
from ..spec.mistakes import Mistake, compose
from ..spec.suite import Suite
from .answers import Answer, answer_of
from .families import known, member_that_gives
from .index import ClaimExample, Index, checks_of, outcome_on
from .verdict import Relation

OTHER = 1  # which example of each other claim: the first is the simplest, and too much alike for many mistakes
CAUGHT = 12  # candidates whose own claim is checked in full
APART = 24  # more checks, at most, to tell candidates apart
PAIRS = 48  # pairs that are run, at most
ALIKE = 0.5  # of the wrong answers: the share that must be of the kind of some member of a family
SHOWN = 3  # more names than this are no help


Bools = NDArray[np.bool_]  # of mistakes


@dataclass(frozen=True)
class Diagnosis:
    """What a wrong answer looks like: the mistakes, and how they belong together (see `Verdict`)."""

    mistakes: tuple[Mistake, ...] = ()
    relation: Relation = "one"


class MistakeMatcher:
    """What the code under test answers, and which known mistakes answer alike."""

    def __init__(
        self, kata: Kata, workspace: Workspace, suite: Suite, subject: Subject, index: Index, held: Collection[int]
    ):
        """`held` are the steps that are known to hold: no mistake that is caught there was made."""
        self.kata, self.workspace, self.suite, self.subject, self.index = kata, workspace, suite, subject, index
        self.reference = workspace.reference(kata)
        self.outcomes: dict[ClaimExample, Outcome] = {}  # of the code under test
        self.answers: dict[ClaimExample, Answer] = {}  # likewise; none where a step is not written
        self.checks = [check for check in checks_of(suite) if check.claim.step not in held]
        self.open = np.array([suite.step_of(mistake) not in held for mistake in suite.mistakes])

    def diagnose(self, claim: Claim) -> Diagnosis:
        """Name the mistakes that give the answers of the code under test, `claim` being the one that fails."""
        if claim.slow or not len(self.open):
            return Diagnosis()
        own = [check for check in self.checks if check.claim is claim]
        self.ask(own)
        if all(self.answers[check].passed for check in own if check in self.answers):
            return Diagnosis()  # wrong only after other examples: no answer that could be looked up
        alike = self._caught(self._agreeing(own, self.open))
        others = (check for check in self.checks if not check.claim.costly and check.claim is not claim)
        self.ask(check for check in others if check.number == min(OTHER, len(check.claim.drawn) - 1))
        whole = self._distinguished(self._agreeing(self.answers, alike))
        if whole.any():
            return _either(self._with_known_constants(self._mistakes(whole)))
        fitted = self._fitted()
        if fitted:
            return _either(fitted)
        pairs = self._pairs(alike, claim.step)
        if pairs:
            return _both(pairs)
        return _either(self._mistakes(self._likely(alike, claim.step)))

    def ask(self, checks: Iterable[ClaimExample]) -> None:
        """Have the code under test answer checks; steps that are not started say nothing."""
        for check in checks:
            if check not in self.outcomes:
                outcome = self.outcomes[check] = outcome_on(check, self.subject, self.reference)
                if outcome.kind not in ("not_started", "missing"):
                    self.answers[check] = answer_of(outcome.evidence)

    def _agreeing(self, checks: Iterable[ClaimExample], among: Bools) -> Bools:
        """Which of some mistakes give the answers of the code under test on all these checks, (M,) bool."""
        agree: Bools = among.copy()
        for check in checks:
            if check in self.answers:
                agree &= self.index.agree(check, self.answers[check])
        return agree

    def _caught(self, alike: Bools) -> Bools:
        """Those of which the code under test fails the very claim that catches each: who passes there has not made it,
        whatever else the two have in common."""
        kept: Bools = alike.copy()
        for row in alike.nonzero()[0][:CAUGHT]:
            name = self.suite.mistakes[row].caught_by
            checks = [check for check in self.checks if check.claim.name == name]
            if any(check.claim.costly for check in checks):
                continue
            self.ask(checks)
            answers = [self.answers[check] for check in checks if check in self.answers]
            kept[row] = not answers or not all(answer.passed for answer in answers)
        return kept

    def _distinguished(self, alike: Bools) -> Bools:
        """Of mistakes that agree so far, those that still do on the checks where they differ from each other."""
        checks = sorted(self.checks, key=lambda check: check.claim.costly)
        for _ in range(APART):
            rows = alike.nonzero()[0]
            left = (check for check in checks if check not in self.outcomes and self._differ(rows, check))
            check = next(left, None) if len(rows) > 1 else None
            if check is None:
                break
            self.ask([check])
            alike = self._agreeing([check], alike)
        return alike

    def _differ(self, rows: NDArray[np.intp], check: ClaimExample) -> bool:
        at = self.index.column[check.name]
        digests, projections = self.index.digests[rows, at], self.index.projections[rows, at]
        slack = self.index.slack[rows, at].max()
        return bool((digests != digests[0]).any() or (np.abs(projections - projections[0]) > slack).any())

    def _fitted(self) -> list[Mistake]:
        """The members of families that, with a constant of their own, give all answers of the code under test."""
        wrong = [check for check, answer in self.answers.items() if not answer.passed]
        digests = self.index.digests[:, [self.index.column[check.name] for check in wrong]]
        learner = np.array([self.answers[check].digest for check in wrong])
        families: dict[int, list[int]] = {}
        for row in self.open.nonzero()[0]:
            if self.suite.mistakes[row].family is not None:
                families.setdefault(id(self.suite.mistakes[row].family), []).append(int(row))
        fitted = []
        for rows in families.values():
            some = self.suite.mistakes[rows[0]]
            fails = (digests[rows] != 0).any(axis=0).all()
            of_its_kind = (digests[rows] == learner).any(axis=0).mean() >= ALIKE
            caught = [self.answers[check] for check in self.answers if check.claim.name == some.caught_by]
            right = bool(caught) and all(answer.passed for answer in caught)
            if some.family is not None and fails and of_its_kind and not right:
                member = member_that_gives(some.family, self._by_name(), self._answers_of)
                fitted += [member] if member is not None else []
        return fitted

    def _with_known_constants(self, mistakes: Sequence[Mistake]) -> list[Mistake]:
        """The same mistakes; of a family's, the constant is left out where the examples do not tell it."""
        families = [mistake.family for mistake in mistakes]
        stated: dict[Mistake, None] = {}
        for mistake in mistakes:
            family, constant = mistake.family, mistake.constant
            if family is None or constant is None:
                stated[mistake] = None
            elif families.count(family) > 1:
                stated[family.some] = None
            else:
                stated[known(family, constant, self._by_name(), self._answers_of)] = None
        return list(stated)

    def _by_name(self) -> dict[str, Answer]:
        return {check.name: answer for check, answer in self.answers.items()}

    def _answers_of(self, mistake: Mistake, names: Sequence[str]) -> dict[str, Answer]:
        """What a mistake answers on the checks of these names; of one that the index holds, by the index."""
        checks = {check.name: check for check in self.answers}
        if mistake in self.suite.mistakes:
            row = self.suite.mistakes.index(mistake)
            return {name: self.index.answer(row, checks[name]) for name in names}
        subject = self._variant((mistake,))
        if subject is None:
            return {}
        return {name: answer_of(outcome_on(checks[name], subject, self.reference).evidence) for name in names}

    def _variant(self, mistakes: tuple[Mistake, ...]) -> Subject | None:
        """The solution with some mistakes in it; none where they cannot be made together."""
        source = compose(mistakes, read_source(self.kata.solution))
        if source is None:
            return None
        try:
            return self.workspace.variant(self.kata, source, " and ".join(mistake.name for mistake in mistakes))
        except (LoadError, Exception, Stop):
            return None

    def _pairs(self, alike: Bools, step: int) -> list[tuple[Mistake, Mistake]]:
        """The pairs of mistakes that, made at once, give all answers of the code under test.

        Tried are only those of which neither fails where the code is right, in the steps up to its own (later ones may
        hide it behind the other), and one fails wherever it is wrong; those first that explain more by themselves.
        """
        wrong = [check for check, answer in self.answers.items() if not answer.passed]
        fails = self.index.failing[:, [self.index.column[check.name] for check in self.answers]]
        learner = np.array([not answer.passed for answer in self.answers.values()])
        steps = np.array([check.claim.step for check in self.answers])
        own = np.array([self.suite.step_of(mistake) for mistake in self.suite.mistakes])
        shown = fails & ~learner & (steps <= own[:, None])
        rows = (self.open & ~shown.any(axis=1)).nonzero()[0]
        explains = np.array([self.index.agree(check, self.answers[check]) for check in wrong]).T  # (M, wrong)
        fails = fails[:, learner]  # (M, wrong)
        ranked = []
        for one, other in itertools.combinations(rows, 2):
            if (fails[one] | fails[other]).all():
                share = (explains[one] | explains[other]).sum()
                ranked.append((-int(share), int(one), int(other)))
        fitting = []
        for _, one, other in sorted(ranked)[:PAIRS]:
            pair = self.suite.mistakes[one], self.suite.mistakes[other]
            if self._gives(pair, wrong):
                fitting.append(pair)
        return fitting

    def _gives(self, pair: tuple[Mistake, Mistake], wrong: Sequence[ClaimExample]) -> bool:
        """Whether two mistakes made at once give the answers of the code under test wherever it is wrong."""
        subject = self._variant(pair)
        if subject is None:
            return False
        for check in wrong:
            outcome = outcome_on(check, subject, self.reference)
            if not answer_of(outcome.evidence).agrees(self.answers[check]):
                return False
        return True

    def _likely(self, alike: Bools, step: int) -> Bools:
        """Of mistakes that explain a part only, those that fail nowhere where the code is right (a mistake that was
        made shows there too); sooner those that fail wherever it is wrong.

        Only up to this step: a later one of the learner's need not build on the faulty one.
        """
        checks = [check for check in self.answers if check.claim.step <= step]
        fails = self.index.failing[:, [self.index.column[check.name] for check in checks]]
        learner = np.array([not self.answers[check].passed for check in checks])
        left: Bools = alike & ~(fails & ~learner).any(axis=1)
        sooner: Bools = left & (fails == learner).all(axis=1)
        return sooner if sooner.any() else left

    def _mistakes(self, which: Bools) -> list[Mistake]:
        return [self.suite.mistakes[row] for row in which.nonzero()[0]]


def _either(mistakes: Sequence[Mistake]) -> Diagnosis:
    if not 1 <= len(mistakes) <= SHOWN:
        return Diagnosis()
    return Diagnosis(tuple(mistakes), "one" if len(mistakes) == 1 else "either")


def _both(pairs: Sequence[tuple[Mistake, Mistake]]) -> Diagnosis:
    if len(pairs) == 1:
        return Diagnosis(pairs[0], "both")
    common = set.intersection(*map(set, pairs))
    return Diagnosis(tuple(common), "includes") if common else Diagnosis()
