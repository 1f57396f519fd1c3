"""A mistake counts as out of reach only where a check could not have met it."""

import random

import pytest

from dojo.curriculum.catalog import Catalog
from dojo.judge.coverage import Coverage
from dojo.sandbox.loader import Workspace
from dojo.spec.claims import Claim
from dojo.spec.suite import load_suite

from ..trees import ROOT

SOLUTION = '''"""A text like that of a solution."""

from __future__ import annotations

LIMIT = 3


def bound(number):
    """Describe what it does."""
    if number > LIMIT:
        return LIMIT
    return number


def double(number):
    twice = 2 * number
    return twice


class Counter:
    start = 0

    def __init__(self):
        self.count = self.start

    def add(self, number):
        self.count += bound(number)
        return self.count


def one_line(number): return number
'''
CATALOG = Catalog(ROOT)
KATA = CATALOG.find("1")


def law_of_counter(kata):
    if kata.Counter().add(2) != 2:
        raise AssertionError


CLAIM = Claim("counting", 1, "It counts.", law_of_counter, ("kata",), {}, {}, 1, False, 5.0)


@pytest.fixture(scope="module")
def coverage():
    return Coverage(KATA, Workspace(CATALOG), SOLUTION)


def changed(*swaps):
    text = SOLUTION
    for old, new in swaps:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("swaps", "missed"),
    [
        ([("2 * number", "3 * number")], True),
        ([("    twice = 2 * number\n", "    twice = 2 * number\n    twice += 1\n")], True),
        ([("    twice = 2 * number\n    return twice\n", "    return number\n")], True),
        ([("> LIMIT", ">= LIMIT")], False),  # it runs
        ([("self.start", "1")], False),
        ([("2 * number", "3 * number"), ("> LIMIT", ">= LIMIT")], False),  # in two places
        ([("def double(number):", "def double(number=1):")], False),
        ([("LIMIT = 3", "LIMIT = 1")], False),
        ([("start = 0", "start = 1")], False),
        ([("    return twice\n", "    return twice\n\n\ndef bound(number):\n    return 0\n")], False),
        ([("    twice = 2 * number\n", "    twice = 2 * number\n    return twice\n\n\ndef bound(number):\n")], False),
        ([("number): return number", "number): return 0")], False),  # on the line of its signature
        ([("def one_line", "def bound(number):\n    return 0\n\n\ndef one_line")], False),
        ([], False),
    ],
)
def test_what_is_missed_is_in_the_body_of_one_function_that_does_not_run(coverage, swaps, missed):
    (example,) = CLAIM.drawn
    assert coverage.misses(changed(*swaps), CLAIM, example) is missed


def test_where_the_solution_itself_does_not_pass_nothing_is_missed(coverage):
    def law(kata):
        raise AssertionError

    broken = Claim("broken", 1, "It fails.", law, ("kata",), {}, {}, 1, False, 5.0)
    assert not coverage.misses(changed(("2 * number", "3 * number")), broken, broken.drawn[0])


@pytest.mark.parametrize("name", ["2", "5", "12", "18"])
def test_what_it_misses_passes(name):
    kata = CATALOG.find(name)
    workspace, suite = Workspace(CATALOG), load_suite(kata)
    solution = kata.solution.read_text(encoding="utf-8")
    reference, coverage = workspace.reference(kata), Coverage(kata, workspace, solution)
    claims = [claim for claim in suite.claims if not claim.slow]
    draw, missed = random.Random(kata.number), 0
    for mistake in draw.sample(suite.mistakes, 12):
        source = mistake.apply(solution)
        subject = workspace.variant(kata, source, mistake.name)
        for claim in draw.sample(claims, 8):
            example = draw.choice(claim.drawn)
            if coverage.misses(source, claim, example):
                missed += 1
                assert claim.once(subject, reference, example).kind == "passed", (mistake.name, claim.name)
    assert missed > 10
