"""The promises of the repository, each proved on its own: stubs, solutions, alternatives, mistakes.

What a learner wrote in `katas/` is not looked at here: stubs are made anew, and everything is judged from a folder
of its own. What was proved is counted at the end of the run.
"""

from __future__ import annotations

import gc
import itertools
import os
import random

import pytest

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog, Kata
from dojo.judge.run import KataRun
from dojo.sandbox.loader import Workspace
from dojo.spec.mistakes import Mistake, compose
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
PAIRS = 6  # of each kata: more than 100 in all
MINE = "# mine\n"  # makes another text of one of the bank, which is not compared with itself


@pytest.fixture(autouse=True)
def quick_collector():
    """Garbage is looked for in what the last test left behind, not in all that a thousand did: that takes seconds, and
    the code under test pays for them with its time."""
    gc.collect()
    gc.freeze()


# A mistake is checked against the property that names it, and named from there. The nightly run judges it as a
# learner would be: from the first step on, and named from the first property that fails.
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
    if outcome.kind != "passed" and run.verdict.verdict == "passed":
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


@pytest.mark.parametrize(("kata", "mistake"), MISTAKES)
def test_mistake_is_caught_and_named(kata, mistake: Mistake, tmp_path, record_property):
    path = tmp_path / f"{kata.name}.py"
    text = mistake.apply(kata.solution.read_text(encoding="utf-8"))
    path.write_text(text + MINE * AS_A_LEARNER, encoding="utf-8")
    verdict = judge(kata, path) if AS_A_LEARNER else judge_by(mistake.caught_by, kata, path)
    assert verdict.verdict != "passed"
    failing = [part.name for step in verdict.steps for part in step.properties if part.status == "failed"]
    assert mistake.caught_by in (failing or [verdict.property])
    record_property("proved", "mistakes caught")
    names = [one.name for one in verdict.diagnosis]
    assert not names or mistake.name in names, f"named {names} instead, at {verdict.property}"
    how = {0: "mistakes not named", 1: "mistakes named alone"}.get(len(names), "mistakes named among others")
    record_property("proved", how)


@pytest.mark.parametrize(("kata", "mistake"), MISTAKES[::20])
def test_mistake_in_a_text_of_its_own_is_not_named_otherwise(kata, mistake: Mistake, tmp_path, record_property):
    """It answers anew whatever the mistake of the bank answers, as a learner's code does; but time may run out."""
    path = tmp_path / f"{kata.name}.py"
    path.write_text(mistake.apply(kata.solution.read_text(encoding="utf-8")) + MINE, encoding="utf-8")
    names = [one.name for one in judge_by(mistake.caught_by, kata, path).diagnosis]
    assert not names or mistake.name in names, f"named {names} instead"
    record_property("proved", "named in a text of their own" if names else "not named in a text of their own")


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
        named = {one.name for one in verdict.diagnosis} & {mistake.name for mistake in pair}
        record_property("proved", "pairs named" if named else "pairs not named")


@pytest.mark.parametrize("kata", KATAS)
def test_lesson_has_what_every_lesson_has(kata):
    markers = stubs.steps(kata.solution.read_text(encoding="utf-8"))
    assert list(kata.steps) == markers == sorted(load_suite(kata).steps)
    assert kata.takeaway
    for step in markers:
        assert len(kata.hints(step)) == 3, f"step {step}"
