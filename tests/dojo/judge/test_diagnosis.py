"""A mistake is named by its answer, however it is written, and nothing is guessed."""

from dataclasses import replace

import pytest
import torch

from dojo.curriculum.catalog import Catalog
from dojo.judge.answers import answer_of
from dojo.judge.diagnosis import MistakeMatcher
from dojo.judge.families import member_that_gives
from dojo.judge.index_build import answers_of
from dojo.sandbox.loader import Workspace
from dojo.spec.mistakes import SwapError, compose, family, mistake, swap
from dojo.spec.suite import Suite, load_suite

from ..learners import FILL, K05, MASK, MIX, SOLUTION, swapped
from ..trees import ROOT

SUITE = load_suite(K05)
SCORES = "scores = query @ key.transpose(1, 2) / key.shape[-1] ** 0.5  # (B, T, T)"
CLAIM = "test_mask_is_true_exactly_for_later_tokens"
EXTREME = "test_extreme_scores_do_not_break_the_mask"
HIDDEN = "test_hidden_weights_are_exactly_zero"
CLAIMS_OF_STEP_2 = (EXTREME, HIDDEN)


@pytest.fixture(scope="module")
def says(judge, tmp_path_factory):
    """What the judge says of a text: (step it stopped at, relation, names and steps of the mistakes)."""
    file = tmp_path_factory.mktemp("learner") / "causal_attention.py"

    def verdict(text):
        file.write_text(text, encoding="utf-8")
        found = judge.verdict(K05, path=file)
        return found.step, found.relation, {one.name: one.step for one in found.diagnosis}

    return verdict


def rewritten(function: str, code: str, text: str = SOLUTION) -> str:
    """The text with another body of a top-level function, or of the last method."""
    start = text.index('"""\n', text.index(f"def {function}(")) + 4
    indent = "    " if f"\ndef {function}(" in text else "        "
    ends = [at for mark in ("\n\n\ndef ", "\n\n\nclass ") if (at := text.find(mark, start)) >= 0]
    lines = "".join(f"{indent}{line}\n" for line in code.strip().splitlines())
    return text[:start] + lines + text[min(ends, default=len(text) - 1) :]


BY_LOOPS = """
rows = []
for query in range(tokens):
    rows.append([])
    for key in range(tokens):
        rows[-1].append(key >= query)
return torch.tensor(rows)
"""
BY_HAND = """
raised = torch.exp(scores * mask.logical_not())
return raised / raised.sum(dim=-1).unsqueeze(-1)
"""
BY_EINSUM = """
batch, length, width = x.shape
q, k, v = (layer(x) for layer in (self.W_query, self.W_key, self.W_value))
similar = torch.einsum("bqd,bkd->bqk", q, k).mul(width ** -0.5)
order = torch.arange(length)
weights = similar.where(order[:, None] >= order, torch.tensor(-torch.inf)).softmax(2)
return torch.einsum("bqk,bkd->bqd", self.dropout(weights), v)
"""


@pytest.mark.parametrize(
    ("function", "code", "step", "name"),
    [
        ("causal_mask", BY_LOOPS, 1, "the diagonal is hidden"),
        ("masked_softmax", BY_HAND, 2, "hidden scores are filled with 0"),
        ("forward", BY_EINSUM, 4, "scaled by the input width"),
    ],
)
def test_a_mistake_in_quite_another_style_is_named(says, function, code, step, name):
    assert says(rewritten(function, code)) == (step, "one", {name: step})


def test_two_at_once_in_one_step_are_named_as_two(says):
    text = swapped(SCORES, SCORES.replace("key.shape", "x.shape"))
    text = swapped(MIX, "return self.dropout(weights @ value)", text)
    step, relation, names = says(text)  # which of the dropouts, only chance would tell
    assert (step, relation) in ((4, "both"), (4, "includes")) and "scaled by the input width" in names


def test_two_at_once_in_different_steps_are_named_as_two(says):
    text = swapped(MASK, MASK.replace("diagonal=1", "diagonal=0"))
    text = swapped(FILL, "return softmax(scores * ~mask)", text)
    assert says(text) == (1, "both", {"the diagonal is hidden": 1, "hidden scores are filled with 0": 2})


@pytest.mark.parametrize("wrong", ["return torch.eye(tokens) > 0", "return torch.ones(tokens, tokens) > 0", "return 7"])
def test_where_nothing_fits_nothing_is_guessed(says, wrong):
    assert says(swapped(MASK, wrong)) == (1, "", {})


# A bank made up: which mistakes there are decides what can be told.


def bank(*swaps):
    return tuple(
        mistake(f"mistake {number}", one, caught_by=CLAIM, explanation="…") for number, one in enumerate(swaps, 1)
    )


def diagnose(tmp_path, mistakes, text, held=(), costly=()):
    """What the diagnosis with only these mistakes in its bank and index says of a text: (relation, names)."""
    torch.set_num_threads(1)
    file = tmp_path / "causal_attention.py"
    file.write_text(text, encoding="utf-8")
    workspace = Workspace(Catalog(ROOT))
    claims = tuple(claim for claim in SUITE.claims if claim.step == 1 or claim.name in CLAIMS_OF_STEP_2)
    claims = tuple(replace(claim, costly=claim.name in costly) for claim in claims)
    suite = Suite(claims, (), tuple(member for entry in mistakes for member in entry.members))
    index = answers_of(K05, suite, suite.mistakes)
    subject = workspace.learner(K05, file)
    reference = workspace.reference(K05)
    failing = next(claim for claim in claims if claim.step not in held and claim.tried(subject, reference).error)
    diagnosis = MistakeMatcher(K05, workspace, suite, subject, index, held).diagnose(failing)
    return diagnosis.relation, [mistake.name for mistake in diagnosis.mistakes]


DIAGONAL = swap(MASK, MASK.replace("diagonal=1", "diagonal=0"))
SAME = swap(MASK, "return torch.ones(tokens, tokens).triu() > 0")
SAME_AGAIN = swap(MASK, "return ~torch.ones(tokens, tokens).tril(-1).bool()")
ZERO = swap(FILL, "return softmax(scores.masked_fill(mask, 0.0))")
ZERO_TOO = swap(FILL, "return softmax(scores * ~mask)")
WRONG = DIAGONAL[1].join(SOLUTION.split(MASK))


def test_what_no_example_tells_apart_is_hedged(tmp_path):
    assert diagnose(tmp_path, bank(DIAGONAL, SAME, ZERO), WRONG) == ("either", ["mistake 1", "mistake 2"])


def test_too_many_suspects_are_no_help(tmp_path):
    assert diagnose(tmp_path, bank(DIAGONAL, SAME, SAME_AGAIN, DIAGONAL), WRONG)[1] == []


def test_what_two_pairs_have_in_common_is_named_as_one_of_two(tmp_path):
    both = swapped(FILL, ZERO[1], WRONG)
    assert diagnose(tmp_path, bank(DIAGONAL, ZERO, ZERO_TOO), both) == ("includes", ["mistake 1"])


def test_an_empty_bank_and_a_bank_that_does_not_fit_are_silent(tmp_path):
    assert diagnose(tmp_path, (), WRONG)[1] == []
    assert diagnose(tmp_path, bank(ZERO), WRONG)[1] == []


def test_what_is_right_on_each_example_alone_is_not_named(tmp_path):
    later = MASK.replace("diagonal=1", "diagonal=1 if len(SEEN) == 1 else 0")
    keeps = swapped(MASK, f"SEEN.append(tokens)\n    {later}")
    keeps = keeps.replace("def causal_mask", "SEEN = []\n\n\ndef causal_mask", 1)
    passes_there = mistake("another", ZERO, caught_by=EXTREME, explanation="…")
    assert diagnose(tmp_path, (passes_there,), keeps, costly=CLAIMS_OF_STEP_2)[1] == []


def test_a_mistake_that_cannot_be_made_or_run_is_passed_over(tmp_path):
    broken = swap(MASK, "return torch.triu(")
    gone = swap("no such text", "")
    raises = swap("class CausalAttention", "1 / 0\n\n\nclass CausalAttention")
    assert diagnose(tmp_path, bank(broken, gone, raises, DIAGONAL), WRONG) == ("one", ["mistake 4"])


def test_what_is_caught_in_a_step_that_holds_was_not_done(tmp_path):
    assert diagnose(tmp_path, bank(DIAGONAL), WRONG, held={2})[1] == ["mistake 1"]
    wrong_in_both = swapped(FILL, ZERO[1], WRONG)
    assert diagnose(tmp_path, bank(DIAGONAL), wrong_in_both, held={1})[1] == []


# Families.


def fill(*constants, caught_by=EXTREME):
    swapped_in = swap(FILL, "return softmax(scores.masked_fill(mask, {c}))")
    return family("filled with {c}", swapped_in, constants=constants, caught_by=caught_by, explanation="{c} is not −∞.")


def filled_with(text):
    return swapped(FILL, f"return softmax(scores.masked_fill(mask, {text}))")


@pytest.mark.parametrize(
    ("constant", "name"),
    [
        ("-20.0", "filled with -20"),
        ("-7.0", "filled with -7"),
        ("-3.1416", "filled with -3.1416"),
        ("-0.25", "filled with -0.25"),
        ("-100.0", "filled with some number"),
        ("-3000.0", "filled with some number"),
    ],
)
def test_any_constant_of_a_family_is_named(tmp_path, constant, name):
    assert diagnose(tmp_path, (fill(-1.0, -20.0, -1e4), *bank(ZERO)), filled_with(constant)) == ("one", [name])


def test_what_is_no_member_of_a_family_is_not_taken_for_one(tmp_path):
    other = swapped(FILL, "return softmax(scores.masked_fill(mask, -20.0)) * 1.01")
    assert diagnose(tmp_path, (fill(-1.0, -20.0, -1e4),), other)[1] == []


def searched(family, *want, answer=lambda constant: [constant, 1.0]):
    """What is found where a member answers so with its constant, and how often one was asked."""
    asked = []

    def ask(mistake, names):
        asked.append(mistake.constant)
        given = torch.tensor(answer(mistake.constant), dtype=torch.float64)
        return {name: answer_of(("mismatch", "wrong", given)) for name in names}

    seen = {"a check 0": answer_of(("mismatch", "wrong", torch.tensor(want, dtype=torch.float64)))}
    return member_that_gives(family, seen, ask), len(asked)


@pytest.mark.parametrize("constant", [0.0, -0.5, 1.0, 0.7071, 3.0, -2.5, 0.25])
def test_a_family_may_hold_constants_of_both_signs(constant):
    def power(constant):
        return [3.0**constant, 5.0**constant, 1.0]

    member, _ = searched(fill(-1.0, 0.5, 2.0), *power(constant), answer=power)
    assert member.constant == constant


@pytest.mark.parametrize("constant", [1e-12, 3e-9, 1e-6, 0.001, 0.02, 1.0])
def test_a_constant_too_small_beside_others_is_found(constant):
    def normalised(eps):
        return [variance / (variance + eps) for variance in (1e-12, 1e-9, 1e-6, 1e-3, 1.0)]

    member, _ = searched(fill(1e-10, 1e-5, 0.1), *normalised(constant), answer=normalised)
    assert member.constant == constant


def test_a_constant_is_looked_for_in_a_bounded_number_of_tries():
    member, asked = searched(fill(-1.0, -1e4), -123.0, 1.0)
    assert member.constant == -123.0 and asked < 80
    member, asked = searched(fill(-1.0, -1e4), -123.0, 2.0)
    assert member is None and asked < 50


@pytest.mark.parametrize(("new", "constants"), [("x", (1.0, 2.0)), ("{c}", (1.0,)), ("{c}", (1.0, 1.0))])
def test_a_family_without_a_constant_or_with_only_one_is_refused(new, constants):
    with pytest.raises(ValueError, match="constant"):
        family("of {c}", swap("a", new), constants=constants, caught_by=CLAIM, explanation="…")


# Swaps.


def test_a_swap_must_stand_once():
    one, *_ = bank(swap("a", "b"))
    assert one.apply("xa") == "xb"
    for text in ("x", "aa"):
        with pytest.raises(SwapError, match="not once"):
            one.apply(text)


def test_swaps_compose_in_whichever_order_they_fit():
    first, second = bank(swap("cat", "dog"), swap("dogs", "wolves"))
    assert compose((second, first), "cats") == compose((first, second), "cats") == "wolves"
    assert compose((first, first), "cats") is None
