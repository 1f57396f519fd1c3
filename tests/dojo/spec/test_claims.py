"""A claim is checked on many examples, always the same, and fails on the smallest."""

import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import strategies as st

from dojo.spec import check
from dojo.spec.claims import claim
from dojo.spec.errors import Missing, Refused, unwritten_step

from ..trees import ROOT


class Code:
    """Code under test, in the place of a learner's module."""

    filename = __file__

    def __init__(self, answer=lambda number: number):
        self.answer = answer


@claim(step=2, number=st.integers(0, 99))
def law(kata, number):
    """The answer is the number."""
    check.equal(kata.answer(number), number, "the answer")


CLAIM = law.claim


def test_a_claim_knows_its_name_step_and_sentence():
    assert (CLAIM.name, CLAIM.step, CLAIM.sentence) == ("law", 2, "The answer is the number.")


def test_what_holds_passes_on_several_examples():
    seen = []
    outcome = CLAIM.check(Code(lambda number: seen.append(number) or number), None)
    assert outcome.kind == "passed" and outcome.error is None
    assert len(set(seen)) >= 6


def test_each_choice_is_checked_and_there_are_enough_examples_for_it():
    @claim(step=1, examples=3, number=st.integers(0, 99), sign=[1, -1], scale=[1, 2, 3])
    def signed(kata, sign, scale):
        """A number with its sign is answered with itself."""
        check.equal(kata.answer(sign * scale), sign * scale, "the answer")

    assert signed.claim.check(Code(lambda number: number + (abs(number) == 3)), None).kind == "mismatch"
    assert {example["sign"] for example in signed.claim.drawn} == {1, -1}
    assert {example["scale"] for example in signed.claim.drawn} == {1, 2, 3}
    with pytest.raises(ValueError, match="2 examples are too few for each of scale"):
        claim(step=1, examples=2, sign=[1, -1], scale=[1, 2, 3])(signed)


def test_the_same_code_gets_the_same_examples():
    runs = []
    for _ in range(2):
        runs.append([])
        CLAIM.check(Code(lambda number: runs[-1].append(number) or number), None)
    assert runs[0] == runs[1]
    assert list(CLAIM.drawn) == [{"number": number} for number in runs[0]]


def test_what_does_not_hold_fails_on_the_smallest_example():
    outcome = CLAIM.check(Code(lambda number: min(number, 20)), None)
    assert (outcome.kind, outcome.example) == ("mismatch", {"number": 21})
    assert outcome.error.problem == "the answer is wrong" and outcome.error.example == {"number": 21}


def test_below_the_first_example_no_smaller_one_is_searched_for():
    asked = []
    outcome = CLAIM.check(Code(lambda number: asked.append(number) or number + 1), None)
    assert outcome.example == CLAIM.drawn[0] and set(asked) == {CLAIM.drawn[0]["number"]}  # under fewer conditions


def fail(error):
    def answer(number):
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("no"), "raised"),
        (SystemExit(0), "raised"),
        (NotImplementedError("step 2"), "not_started"),
        (NotImplementedError("step 3"), "not_started"),
        (NotImplementedError("later"), "raised"),
        (NotImplementedError(), "raised"),
        (Missing("no such name"), "missing"),
        (Refused("not allowed"), "refused"),
    ],
)
def test_every_failure_is_of_a_kind(error, kind):
    outcome = CLAIM.check(Code(fail(error)), None)
    assert (outcome.kind, outcome.error) == (kind, error)


def test_only_the_stub_itself_says_that_a_step_is_not_started():
    with pytest.raises(NotImplementedError) as caught:
        fail(NotImplementedError("step 4"))(1)
    assert unwritten_step(caught.value, __file__) == 4
    assert unwritten_step(caught.value, "another.py") == 0
    assert unwritten_step(caught.value, None) == 0


def test_stop_passes_through_a_learners_except():
    def answer(number):
        try:
            raise Refused("not allowed")
        except Exception:
            return number

    assert CLAIM.check(Code(answer), None).kind == "refused"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: torch.set_default_dtype(torch.float64), "the default dtype was left at torch.float64"),
        (lambda: torch.set_grad_enabled(False), "gradient mode was left at False"),
        (lambda: os.chdir("/"), "the working directory was left at /"),
    ],
)
def test_settings_left_changed_are_named_and_put_back(change, said):
    before = torch.get_default_dtype(), torch.is_grad_enabled(), os.getcwd()
    outcome = CLAIM.check(Code(lambda number: (change(), number)[1]), None)
    assert (outcome.kind, outcome.leaks) == ("passed", (said,))
    assert before == (torch.get_default_dtype(), torch.is_grad_enabled(), os.getcwd())


def test_a_double_claim_runs_in_double_and_leaks_nothing():
    @claim(step=1, double=True)
    def in_double(kata):
        """It is double."""
        check.equal(kata.answer(1), torch.tensor(1.0, dtype=torch.float64))

    outcome = in_double.claim.check(Code(lambda number: torch.tensor(1.0)), None)
    assert (outcome.kind, outcome.leaks) == ("passed", ())
    assert torch.get_default_dtype() == torch.float32


def test_random_numbers_are_the_same_in_every_example_and_the_callers_go_on():
    seen = set()
    state = torch.get_rng_state(), random.getstate()
    CLAIM.check(Code(lambda number: seen.add((torch.randint(1000, (1,)).item(), random.random())) or number), None)
    assert len(seen) == 1
    assert torch.equal(torch.get_rng_state(), state[0]) and random.getstate() == state[1]


EXAMPLES = """
import importlib, sys
sys.path.insert(0, {folder!r})
{first}
from hypothesis import strategies as st
from dojo.spec.claims import claim

@claim(step=1, examples=80, number=st.integers(), text=st.text(), share=st.floats())
def test_law(kata, number, text, share):
    pass

print(test_law.claim.drawn)
"""


def test_examples_do_not_depend_on_what_else_is_loaded(tmp_path):
    (tmp_path / "loud.py").write_text("NUMBERS = [123456789, 987.654321, 'a very special text']\n")
    printed = {
        subprocess.run(
            [sys.executable, "-c", EXAMPLES.format(folder=str(tmp_path), first=first)],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ).stdout
        for first in ("", "import loud")
    }
    assert len(printed) == 1 and "number" in printed.pop()


class OwnError(BaseException):
    """A learner's error class that is no Exception."""


def test_an_error_that_is_no_exception_is_the_learners():
    outcome = CLAIM.once(Code(fail(OwnError("3 are missing"))), None, CLAIM.drawn[0])
    assert (outcome.kind, outcome.evidence) == ("raised", ("raised", "OwnError", []))


@pytest.mark.parametrize("code", [lambda: torch.ones(2) @ torch.ones(3), lambda: {}[3]])
def test_the_numbers_of_an_error_are_evidence_where_nobody_chose_them(code):
    def law(kata):
        code()

    outcome = replace(CLAIM, law=law, wanted=("kata",)).once(Code(None), None, CLAIM.drawn[0])
    assert outcome.evidence[2]
