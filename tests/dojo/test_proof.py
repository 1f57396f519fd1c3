"""The promises of the repository, each proved on its own: stubs, solutions, alternatives, mistakes, the index.

What a learner wrote in `katas/` is not looked at here: stubs are made anew, and everything is judged from a folder
of its own. What was proved is counted at the end of the run.
"""

from __future__ import annotations

import functools
import itertools
import os
import random

import pytest

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog, Kata
from dojo.judge.diagnosis import MistakeMatcher
from dojo.judge.index import load
from dojo.judge.index_build import answers_of, differing
from dojo.judge.run import KataRun
from dojo.sandbox.limits import limit
from dojo.sandbox.loader import Workspace
from dojo.spec.claims import Claim, Outcome
from dojo.spec.errors import Stop
from dojo.spec.isolation import isolated
from dojo.spec.mistakes import Mistake, SwapError, compose
from dojo.spec.suite import load_suite

from .trees import ROOT

CATALOG = Catalog(ROOT)
KATAS = [pytest.param(kata, id=kata.code, marks=pytest.mark.xdist_group(kata.code)) for kata in CATALOG.katas]
ALTERNATIVES = [
    pytest.param(kata, path, id=f"{kata.code}-{path.stem}") for kata in CATALOG.katas for path in kata.alternatives
]
MISTAKES = [
    pytest.param(kata, mistake, id=f"{kata.code}: {mistake.name}", marks=pytest.mark.xdist_group(kata.code))
    for kata in CATALOG.katas
    for mistake in load_suite(kata).mistakes
]
WORKSPACE = Workspace(CATALOG)
# What alternatives and mistakes are warned of is theirs.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("UserWarning", "DeprecationWarning")]
PAIRS = 5  # of each kata: more than 100 in all
SAMPLE = 6  # mistakes of each kata whose answers are worked out anew, on every example


# The nightly run draws other examples, which no index knows: there mistakes are judged as a learner's file would be.
AS_A_LEARNER = os.environ.get("DOJO_RANDOM") == "1"


def judge(kata: Kata, path, first: int = 0):
    return KataRun(kata, WORKSPACE, path).run(0 if AS_A_LEARNER else first)


def judge_by(name: str, kata: Kata, path):
    """Judge by a single property."""
    run = KataRun(kata, WORKSPACE, path)
    assert run.load(), run.verdict.message
    claim = run.suite.claim(name)
    run.held = {step for step in run.suite.steps if step < claim.step}
    outcome = run.check(claim)
    if outcome.kind != "passed":
        run.fail(claim, outcome)
    return run.verdict


@pytest.mark.parametrize("kata", KATAS)
def test_stub_fails_as_not_started(kata, tmp_path, record_property):
    path = tmp_path / f"{kata.name}.py"
    path.write_text(stubs.stub_of(kata), encoding="utf-8")
    verdict = judge(kata, path)
    assert (verdict.verdict, verdict.step) == ("not_started", 1), verdict.message
    record_property("proved", "stubs not started")


@pytest.mark.parametrize("kata", KATAS)
def test_stub_in_the_tree_is_not_out_of_date(kata):
    assert not stubs.outdated(kata), f"{kata.file}: make stubs"


@pytest.mark.parametrize("kata", KATAS)
def test_solution_passes(kata, record_property):
    verdict = judge(kata, kata.solution)
    assert verdict.verdict == "passed", (verdict.claim, verdict.message, verdict.expected, verdict.got)
    assert not verdict.notes
    record_property("proved", "solutions passed")


@pytest.mark.parametrize("kata", KATAS)
def test_each_step_of_the_solution_passes_before_the_next_is_written(kata, tmp_path):
    """A learner writes step by step: each step must be judged before the next one is there."""
    text = kata.solution.read_text(encoding="utf-8")
    path = tmp_path / f"{kata.name}.py"
    for step in stubs.steps(text)[:-1]:
        path.write_text(stubs.make_stub(text, solved=step), encoding="utf-8")
        verdict = judge(kata, path)
        assert (verdict.verdict, verdict.step) == ("not_started", step + 1), (step, verdict.claim, verdict.message)


@pytest.mark.parametrize(("kata", "path"), ALTERNATIVES)
def test_alternative_passes(kata, path, record_property):
    verdict = judge(kata, path)
    assert verdict.verdict == "passed", (verdict.claim, verdict.message, verdict.expected, verdict.got)
    record_property("proved", "alternatives passed")


@pytest.mark.skipif(AS_A_LEARNER, reason="the examples are drawn at random")
@pytest.mark.parametrize("kata", KATAS)
def test_index_is_up_to_date_and_true(kata, record_property):
    """Some mistakes are answered anew."""
    index, suite = load(kata), load_suite(kata)
    assert index.mistakes == tuple(mistake.name for mistake in suite.mistakes)
    chosen = random.Random(kata.number).sample(range(len(suite.mistakes)), SAMPLE)
    again = answers_of(kata, suite, [suite.mistakes[row] for row in chosen])
    assert differing(index.rows(chosen), again) == [], f"make index KATA={kata.number}"
    record_property("proved", "indexes up to date")
    record_property("proved", ("answers of the index checked", again.digests.size))


@pytest.mark.parametrize(("kata", "mistake"), MISTAKES)
def test_mistake_is_caught_and_named(kata, mistake: Mistake, record_property):
    """Caught and named by what the index says that it answers, which was worked out twice by running it; what fails
    nowhere in it (a slow claim, a ban) is run."""
    claim = load_suite(kata).claim(mistake.caught_by)
    fails = not AS_A_LEARNER and not claim.slow and FromIndex(kata, mistake).fails(claim)
    assert fails or caught(kata, mistake, claim), f"passes {claim.name}"
    record_property("proved", "mistakes caught")
    if AS_A_LEARNER:
        return
    if claim.slow:
        record_property("proved", "mistakes not named")
        return
    names = [named.name for named in FromIndex(kata, mistake).diagnose(claim).mistakes]
    assert not names or names_of(mistake) & set(names), f"named {names} instead, at {claim.name}"
    how = {0: "mistakes not named", 1: "mistakes named alone"}.get(len(names), "mistakes named among others")
    record_property("proved", how)


def caught(kata: Kata, mistake: Mistake, claim: Claim) -> bool:
    """Whether a claim fails for a mistake; one that cannot be imported fails them all."""
    try:
        subject = WORKSPACE.variant(kata, mistake.apply(kata.solution.read_text(encoding="utf-8")), mistake.name)
    except SwapError:
        raise
    except (Exception, Stop):
        return True
    with isolated(False, []):
        try:
            with limit(claim.seconds):
                return claim.tried(subject, WORKSPACE.reference(kata)).kind != "passed"
        except Stop:
            return True


def names_of(mistake: Mistake) -> set[str]:
    """The names that are right for a mistake; a member of a family may be named without its constant."""
    return {mistake.name} | ({mistake.family.some.name} if mistake.family else set())


class FromIndex(MistakeMatcher):
    """The diagnosis of code that answers what the index says of a mistake."""

    def __init__(self, kata: Kata, mistake: Mistake):
        suite = load_suite(kata)
        step = suite.step_of(mistake)
        held = {held for held in suite.steps if held < step}
        super().__init__(kata, WORKSPACE, suite, None, index_of(kata), held)
        self.row = suite.mistakes.index(mistake)

    def fails(self, claim):
        own = [self.index.column[check.name] for check in self.checks if check.claim is claim]
        return self.index.failing[self.row, own].any()

    def ask(self, checks):
        for check in checks:
            self.answers[check] = self.index.answer(self.row, check)
            self.outcomes[check] = Outcome("passed" if self.answers[check].passed else "mismatch")


@functools.lru_cache(maxsize=1)
def index_of(kata: Kata):
    return load(kata)


@pytest.mark.parametrize(("kata", "mistake"), MISTAKES if AS_A_LEARNER else MISTAKES[::20])
def test_mistake_is_named_in_a_file_of_its_own(kata, mistake: Mistake, tmp_path, record_property):
    """Judged as a learner's file would be, from the claim that catches it."""
    path = tmp_path / f"{kata.name}.py"
    path.write_text(mistake.apply(kata.solution.read_text(encoding="utf-8")), encoding="utf-8")
    verdict = judge(kata, path) if AS_A_LEARNER else judge_by(mistake.caught_by, kata, path)
    assert verdict.verdict != "passed"
    if AS_A_LEARNER:
        return
    names = [named.name for named in verdict.diagnosis]
    assert not names or names_of(mistake) & set(names), f"named {names} instead"
    record_property("proved", "named in a file of their own" if names else "not named in a file of their own")


@pytest.mark.parametrize("kata", KATAS)
def test_two_mistakes_at_once_are_caught_and_one_is_named(kata, tmp_path, record_property):
    """Some pairs of each kata, always the same ones; the share that is named is held against its bound at the end."""
    solution = kata.solution.read_text(encoding="utf-8")
    pairs = list(itertools.combinations(load_suite(kata).mistakes, 2))
    random.Random(kata.number).shuffle(pairs)
    texts = ((pair, compose(pair, solution)) for pair in pairs)
    path = tmp_path / f"{kata.name}.py"
    for pair, text in itertools.islice(((pair, text) for pair, text in texts if text), PAIRS):
        path.write_text(text, encoding="utf-8")
        verdict = judge(kata, path, min(load_suite(kata).step_of(mistake) for mistake in pair))
        assert verdict.verdict != "passed", [mistake.name for mistake in pair]
        if AS_A_LEARNER:
            continue
        named = {named.name for named in verdict.diagnosis} & set.union(*map(names_of, pair))
        record_property("proved", "pairs named" if named else "pairs not named")


@pytest.mark.parametrize("kata", KATAS)
def test_lesson_has_what_every_lesson_has(kata):
    markers = stubs.steps(kata.solution.read_text(encoding="utf-8"))
    assert list(kata.steps) == markers == sorted(load_suite(kata).steps)
    assert kata.takeaway
    for step in markers:
        parts = kata.hint_parts(step)  # one, or one for each topic of the step
        assert parts and all(len(part.hints) == 3 for part in parts), f"step {step}"
        names = [claim.name for claim in load_suite(kata).claims if claim.step == step]
        for part in parts:
            assert not part.topic or any(kata.topic(step, name) == part.topic for name in names), part.topic
