"""Conditions: every two levels meet, and what does not apply is left out with a reason."""

import itertools
from collections import Counter

import pytest

from dojo.spec import claim, sizes
from dojo.spec.conditions import COLUMNS, FACTORS, Conditions, covering

APART = [names[0] for names in COLUMNS.values()]  # what varies by itself


def pairs_of(rows, without=()):
    names = [name for name in APART if name not in without]
    return {pair for row in rows for pair in itertools.combinations([(name, getattr(row, name)) for name in names], 2)}


def all_pairs(without=()):
    factors = {name: FACTORS[name] for name in APART if name not in without}
    rows = [dict(zip(factors, levels)) for levels in itertools.product(*factors.values())]
    return {pair for row in rows for pair in itertools.combinations(row.items(), 2)}


@pytest.mark.parametrize("start", range(0, 1000, 77))
def test_every_two_levels_meet_in_eight_examples(start):
    rows = covering(8, {}, start)
    assert all_pairs() == pairs_of(rows) and len(set(rows)) == 8


@pytest.mark.parametrize("factor", FACTORS)
def test_a_factor_that_does_not_apply_is_left_as_it_is(factor):
    rows = covering(8, {factor: "of no interest"})
    assert {getattr(row, factor) for row in rows} == {getattr(Conditions(), factor)}
    assert all_pairs({factor}) == pairs_of(rows, {factor})


@pytest.mark.parametrize("factor", COLUMNS["evaluation"])
def test_a_module_is_evaluated_in_half_of_the_examples_as_far_as_that_applies(factor):
    rows = covering(8, {factor: "of no interest"})
    others = [name for name in COLUMNS["evaluation"] if name != factor]
    levels = [tuple(getattr(row, name) for name in others) for row in rows]
    assert Counter(levels) == {tuple(FACTORS[name][level] for name in others): 4 for level in (0, 1)}


def test_the_first_example_is_the_simplest_and_others_differ_from_claim_to_claim():
    first = [covering(3, {}, start)[0] for start in range(5)]
    assert set(first) == {Conditions(dtype="float64", arguments="by position")}
    assert len({tuple(covering(2, {}, start)) for start in range(0, 200, 3)}) > 5


def test_no_factors_and_many_examples_are_no_trouble():
    assert covering(3, dict.fromkeys(FACTORS, "none applies")) == [Conditions()] * 3
    assert len(covering(40, {})) == 40


def test_simpler_conditions_have_one_factor_less():
    conditions = Conditions(layout="cut", earlier="other calls")
    assert set(conditions.simpler()) == {Conditions(layout="cut"), Conditions(earlier="other calls")}
    assert str(conditions) == "tensors cut from larger ones, after other calls" and not Conditions().simpler()
    evaluated = Conditions(modules="copied", mode="eval", gradients="none")
    assert str(evaluated) == "in a copy of the module, in eval mode, under torch.no_grad()"
    assert Conditions(mode="eval", gradients="none") in evaluated.simpler() and len(evaluated.simpler()) == 3


def test_a_failure_is_shown_under_as_few_conditions_as_it_takes():
    @claim(step=1, examples=8, size=sizes("B T"))
    def law(kata, size):
        """It holds."""
        assert kata.conditions().earlier == "nothing"

    class Kata:
        class calls:
            @staticmethod
            def under(conditions):
                Kata.current = conditions
                return __import__("contextlib").nullcontext()

        @staticmethod
        def conditions():
            return Kata.current

    kata = Kata()
    kata.calls = Kata.calls
    outcome = law.claim.check(kata, None)
    assert outcome.kind == "raised" and outcome.example.conditions == Conditions(earlier="other calls")
    assert outcome.example["size"].dims == law.claim.drawn[0]["size"].dims
