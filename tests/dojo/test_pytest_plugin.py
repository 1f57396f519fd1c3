"""Plain pytest on the tests of a kata gives the verdict of `make test`, so that an editor's test panel works."""

import re

import pytest

from dojo.curriculum import stubs
from dojo.judge.verdict import Verdict
from dojo.learner.verdict_text import render

from .learners import FILL

TESTS = ["tests/katas/test_k04_self_attention.py", "tests/katas/test_k05_causal_attention.py"]
TWO_WRONGS = f"if scores.ndim == 4:\n        raise ValueError('four')\n    {FILL.replace('-torch.inf', '0.0')}"


@pytest.fixture(scope="module")
def wrong(clone):
    """pytest where k04 is not started and step 2 of k05 fails in two ways, and the report of `make test` on it."""
    clone.renew()
    clone.save("5", clone.solution("5").replace(FILL, TWO_WRONGS))
    return clone.process("-m", "pytest", *TESTS), render(
        Verdict.from_dict(clone.json("5")[1]), "Causal attention"
    ).plain


@pytest.fixture(scope="module")
def right(clone, wrong):
    """pytest where k04 is solved and k05 cannot be read."""
    clone.solve("4")
    clone.save("5", clone.solution("5").replace("if not training or rate == 0:", "if not training or rate == 0"))
    return clone.process("-m", "pytest", *TESTS)


def test_a_failing_claim_prints_the_report_of_make_test(wrong):
    done, report = wrong
    assert done.returncode == 1
    claim = report.index("masked_softmax gives every hidden entry")
    assert "hidden scores are filled with 0. " in report[claim:]
    assert report[claim:] in done.stdout


def test_each_failing_claim_has_evidence_of_its_own(wrong):
    assert "Your code raises ValueError: four" in wrong[0].stdout


def test_a_stub_is_not_started_and_no_error(wrong):
    assert "k04 · Self-attention\n\nStep 1 is not started." in wrong[0].stdout


def test_later_steps_are_skipped(wrong):
    assert re.search(r" 2 passed, [34]\d skipped", wrong[0].stdout)  # the mask, and what leaves its arguments alone


def test_no_traceback_of_the_machinery_is_shown(wrong, right):
    for done in (wrong[0], right):
        assert "Traceback" not in done.stdout and "dojo/" not in done.stdout and done.stderr == ""


def test_a_solved_kata_passes(right):
    passed = re.search(r"test_k04_self_attention\.py (\.+) ", right.stdout)
    assert passed and len(passed.group(1)) > 5


def test_a_syntax_error_is_told_once_with_its_line(right):
    assert right.returncode == 1
    told, *_ = right.stdout.split("= short test summary")  # in CI the summary repeats the whole message
    assert told.count("Python cannot read your file: expected ':'.") == 1
    assert "    if not training or rate == 0\n" in right.stdout


def test_running_the_tests_changes_nothing(clone, right):
    assert not (clone.root / ".dojo" / "progress.json").exists() or "solved_at" not in (
        clone.root / ".dojo" / "progress.json"
    ).read_text(encoding="utf-8")
    assert clone.kata("4").file.read_text(encoding="utf-8") != stubs.stub_of(clone.kata("4"))


def test_ending_the_program_is_no_way_to_pass(clone, right):
    clone.renew()
    clone.save("5", "import os\nos._exit(0)\n")
    done = clone.process("-m", "pytest", TESTS[1])
    assert done.returncode == 1
    assert "sys.exit" in done.stdout
