"""Two processes check a kata's claims, and what they say is what one alone says."""

import os
import signal

import pytest

from dojo.curriculum.catalog import Catalog
from dojo.judge import helper_process
from dojo.judge.helper_process import HelperProcess, half
from dojo.judge.run import KataRun
from dojo.sandbox.loader import Workspace
from dojo.spec.claims import claim
from dojo.spec.suite import load_suite

from ..trees import ROOT

CATALOG = Catalog(ROOT)
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="one process is all there is here")


def a_claim(name):
    def law(kata):
        """It holds."""

    law.__name__ = name
    return claim(step=1)(law).claim


CLAIMS = [a_claim(name) for name in ("one", "two", "three")]


@pytest.fixture
def start_helper(monkeypatch):
    monkeypatch.setattr(helper_process, "WAIT", 600.0)  # however busy the machine is
    opened = []

    def start(holds):
        opened.append(HelperProcess(CLAIMS, holds))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_it_tells_of_what_holds_up_to_the_first_that_does_not(start_helper):
    second = start_helper(lambda one: one.name != "two")
    assert [second.seconds_for(one) > 0 for one in CLAIMS] == [True, False, False]


def test_it_has_every_other_claim_or_half_of_the_time():
    names = [claim.name for claim in half(CLAIMS, {})]
    assert names == ["two"]
    names = [claim.name for claim in half(CLAIMS, {"one": 3.0, "two": 1.0, "three": 1.5})]
    assert names == ["two", "three"]


def test_it_knows_nothing_of_other_claims(start_helper):
    second, other = start_helper(lambda one: True), a_claim("other")
    assert second.has(CLAIMS[0]) and not second.has(other)
    assert second.seconds_for(other) == 0


@pytest.mark.parametrize("end", [lambda: os._exit(0), lambda: os.kill(os.getpid(), 9), lambda: 1 / 0])
def test_a_process_that_dies_has_found_nothing(start_helper, end):
    second = start_helper(lambda one: one.name == "one" or end())
    assert [second.seconds_for(one) > 0 for one in CLAIMS] == [True, False, False]


def test_a_claim_without_end_is_taken_from_it(start_helper, monkeypatch):
    second = start_helper(lambda one: signal.pause())
    monkeypatch.setattr(helper_process, "WAIT", 0.2)
    assert second.seconds_for(CLAIMS[0]) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(second.process or 2**22 + 1, 0)


@pytest.mark.parametrize("name", ["k02", "k05"])
def test_a_right_solution_passes_with_every_claim_in_its_place(name):
    kata = CATALOG.find(name)
    verdicts = [KataRun(kata, Workspace(CATALOG), kata.solution).run(alone=alone) for alone in (True, False)]
    assert [verdict.verdict for verdict in verdicts] == ["passed", "passed"]
    listed = [[(result.name, result.status) for step in v.steps for result in step.properties] for v in verdicts]
    assert listed[0] == listed[1]


def test_a_wrong_one_gets_the_same_verdict(tmp_path):
    kata = CATALOG.find("5")
    path = tmp_path / "causal_attention.py"
    for mistake in load_suite(kata).mistakes[::12]:
        path.write_text(mistake.apply(kata.solution.read_text(encoding="utf-8")), encoding="utf-8")
        verdicts = [KataRun(kata, Workspace(CATALOG), path).run(alone=alone).as_dict() for alone in (True, False)]
        told = [{key: v[key] for key in v if key not in ("steps", "seconds", "traceback")} for v in verdicts]
        assert told[0] == told[1] and told[0]["verdict"] == "failed"
