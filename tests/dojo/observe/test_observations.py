"""What is observed of a wrong answer: each kind of sentence on small cases, and twenty real wrong files."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import strategies as st

from dojo.curriculum.catalog import Catalog
from dojo.judge.run import KataRun
from dojo.observe.observations import observe
from dojo.observe.relations import how
from dojo.observe.sequences import how_plain
from dojo.observe.values import Failure
from dojo.observe.where import where
from dojo.sandbox.loader import Workspace
from dojo.spec import check, claim, sizes
from dojo.spec.suite import load_suite

from ..trees import ROOT

WANT = torch.tensor([[1.0, -2.0, 3.5], [0.5, 4.0, -1.5], [2.5, 0.25, 6.0]])
SQUARE = torch.arange(9).reshape(3, 3)


def relation(change, want=WANT, **inputs):
    """What is said of a wrong answer that `change` makes of the expected one."""
    return next(how([Failure(change(want.clone()), want, {}, inputs)]), "")


def changed(at, by=100.0):
    def change(want):
        want[at] += by
        return want

    return change


def test_nothing_is_said_of_entries_where_only_the_dtype_differs():
    assert relation(torch.Tensor.double) == ""
    assert next(how([Failure(SQUARE.int(), SQUARE, {}, {})]), "") == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (torch.zeros_like, "It is nothing but zeros."),
        (torch.ones_like, "All its entries are the same number, and they should not be."),
        (lambda want: want * torch.nan, "Every entry is NaN (not a number)."),
        (lambda want: -want, "It is right but for its sign."),
        (lambda want: want / 3, "It is 1/3 times the expected answer, whatever the sizes."),
        (lambda want: want + 0.5, "It is 0.5 more than expected everywhere."),
        (torch.square, "It is the square of the expected answer."),
        (torch.exp, "It is the exponential of the expected answer."),
        (torch.abs, "It is the expected answer without its sign."),
        (lambda want: want.round(), "It is the expected answer rounded to whole numbers."),
        (lambda want: want.softmax(-1), "It is the expected answer after a softmax along the last dimension."),
        (lambda want: want.cumsum(-1), "It is the expected answer summed up step by step along the last dimension."),
        (lambda want: 1 - want, "It is 1 minus the expected answer."),
        (lambda want: want.flip(0), "The numbers are right, but in reverse order along dimension 0."),
        (lambda want: want.roll(1, 1), "The numbers are right, but one place too late along the last dimension."),
        (lambda want: want.T, "The numbers are right, but dimension 0 and the last dimension are exchanged."),
        (changed((slice(None), 0)), "Along the last dimension only the first entry is wrong."),
        (changed((slice(1, None),)), "Along dimension 0 only the first entry is right."),
        (changed((SQUARE % 4 == 0,)), "Only entries on the diagonal are wrong."),
        (changed(([0, 1], [1, 2])), "Only entries right above the diagonal are wrong."),
        (changed(([0, 0, 1], [1, 2, 2])), "Only entries above the diagonal are wrong."),
        (
            lambda want: want * torch.tensor([[2.0], [3.0], [0.5]]),
            "Along the last dimension the proportions are right, but each row is off by a factor of its own.",
        ),
        (
            lambda want: want[[2, 0, 0]],
            "Along dimension 0 each entry is an expected one, but of another place: "
            "in the places 0 to 2 stand 2, 0, 0.",
        ),
        (
            changed(([0, 1, 2, 0, 2], [0, 1, 2, 1, 0]), 0.01),
            "It is nearly right: no entry is off by more than 0.2 % of the largest.",
        ),
        (lambda want: torch.randn(3, 3, generator=torch.Generator().manual_seed(0)), ""),
    ],
)
def test_a_relation_is_said(change, sentence):
    assert relation(change) == sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda want, x: x, "It is `x` itself, unchanged."),
        (lambda want, x: want + x, "It is the expected answer plus `x`."),
        (lambda want, x: want * x, "It is the expected answer times `x`."),
        (lambda want, x: want / x, "It is the expected answer without the factor `x`."),
        (lambda want, x: torch.nn.functional.elu(x), "It is the ELU of `x`."),
    ],
)
def test_an_input_in_the_answer_is_seen(change, sentence):
    x = torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert relation(lambda want: change(want, x), WANT.double(), x=x) == sentence


def test_each_row_right_but_for_a_factor_and_a_shift():
    want = torch.tensor([[1.0, 2.0, 4.0, 7.0], [3.0, -1.0, 2.0, 8.0]])
    said = "Along the last dimension each row is right but for a factor and a shift of its own: mean or spread?"
    assert relation(lambda want: want * torch.tensor([[2.0], [3.0]]) + torch.tensor([[1.0], [-4.0]]), want) == said


def test_few_digits_are_said_to_be_those_of_bfloat16():
    want = torch.linspace(1.001, 1.7, 7)
    said = "It is right to 2 or 3 digits, as numbers are that were bfloat16 on their way."
    assert relation(lambda want: want.bfloat16().float(), want) == said


def test_a_mask_the_other_way_round():
    mask = torch.ones(3, 3).triu(1).bool()
    assert relation(torch.logical_not, mask) == "It is True exactly where it should be False, and the other way round."


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [
        (lambda T, d: d**0.5, "It is the expected answer times √d."),
        (lambda T, d: 1 / T, "It is the expected answer times 1/T."),
        (lambda T, d: d / T, "It is the expected answer times d/T."),
        (lambda T, d: T * d, "It is the expected answer times T·d."),
        (lambda T, d: T - 1, "It is the expected answer times (T−1)."),
    ],
)
def test_a_factor_is_a_formula_of_the_sizes(factor, sentence):
    failures = [Failure(WANT * factor(*pair), WANT, dict(zip("Td", pair))) for pair in ((3, 2), (5, 7), (4, 3), (7, 5))]
    assert next(how(failures)) == sentence


def test_what_does_not_hold_on_every_failure_is_not_said():
    assert not list(how([Failure(-WANT, WANT, {}), Failure(WANT.flip(0), WANT, {})]))


@pytest.mark.parametrize(
    ("got", "want", "sentence"),
    [
        ([], [1, 2], "It is empty."),
        ([3, 2, 1], [1, 2, 3], "It is in reverse order."),
        ([1, 2], [1, 2, 3], "The last entry is missing."),
        ([2, 3], [1, 2, 3], "The first entry is missing."),
        ([1, 3], [1, 2, 3], "One entry is missing inside."),
        ([1, 2, 3, 9, 9], [1, 2, 3], "There are 2 entries too many at the end."),
        ([1, 2, 3, 4], [3, 1, 4, 2], "It is sorted, and it should not be."),
        ([3, 1, 2], [1, 2, 3], "Everything stands one place too late, and the last entry comes first."),
        ([2, 3, 5], [1, 2, 4], "Every number is 1 too large."),
        ("ab c", "abc", "It is right but for white space."),
        ("ABC", "aBc", "It is right but for capital and small letters."),
        (["ab", "c"], ["a", "bc"], "Nothing is lost, but it is cut in other places."),
        (["a", "b", "c"], ["a", "bc"], "Nothing is lost, but it is cut into too many pieces."),
        ({"a": 1}, {"a": 1, "b": 2}, "Some keys are missing, such as 'b'."),
        ([[1, 2], [7]], [[2, 1], [7]], "Of each of its wrong entries: it is in reverse order."),
        ([0.5, 1.0, 2.0], [1.0, 2.0, 4.0], "It is 1/2 times the expected answer, whatever the sizes."),
        ("nave", "naïve", "Characters outside ASCII are missing; the others are right."),
        (
            [1, 9, 3, 9, 1],
            [1, 2, 3, 2, 1],
            "Some of the expected entries are always another one, the same each time; the others are right.",
        ),
        (
            {"a": 1, "b": 2, "c": 3, "d": 4},
            {"a": 2, "b": 7, "c": 3, "d": 5},
            "No number is too large, and some are too small: something is not counted.",
        ),
        (4, 5, ""),  # as anybody sees
        ([], [], ""),
    ],
)
def test_a_relation_of_plain_values_is_said(got, want, sentence):
    assert next(how_plain([(got, want)]), "") == sentence


def test_a_difference_that_is_always_the_same_is_said():
    assert next(how_plain([(4, 5), (6, 7)])) == "It is 1 too small, on every example."


def test_a_factor_may_be_a_formula_of_a_rate():
    failures = [Failure(WANT * (1 - rate), WANT, {}, {"dropout": rate}) for rate in (0.1, 0.5, 0.3)]
    assert next(how(failures)) == "It is the expected answer times (1−dropout)."


def test_a_step_from_an_input_is_compared_with_the_expected_step():
    start = torch.linspace(1, 9, 9).reshape(3, 3)
    assert relation(lambda want: start + 2 * (want - start), weight=start) == (
        "It is `weight` and a step, which is 2 times the expected step, whatever the sizes."
    )


# Where, on laws made by hand.


def places(law, **values):
    """What `where` says of a law that holds on some of its examples only."""
    made = claim(step=1, **values)(law).claim
    outcomes = [made.once(SimpleNamespace(), None, example) for example in made.drawn]
    failing = next(outcome for outcome in outcomes if outcome.kind != "passed")
    return list(where(made, failing, outcomes, lambda example: made.once(SimpleNamespace(), None, example), values))


def test_sizes_part_right_from_wrong():
    def law(size):
        check.equal(size.T > 1 and size.D > 0, False)

    assert places(law, size=sizes("T D")) == ["It is wrong from T = 2 on, and right elsewhere."]


def test_an_error_is_said_to_be_one():
    def law(size):
        if size.T == 1:
            raise ValueError

    assert places(law, size=sizes("T D")) == ["It raises an error only for T = 1, and right elsewhere."]


def test_two_sizes_are_compared():
    def law(size):
        check.equal(size.T > size.D, False)

    assert places(law, size=sizes("T D"), examples=20) == ["It is wrong where T > D, and right elsewhere."]


def test_choices_part_right_from_wrong():
    def law(bias, seed):
        check.equal(bias, True)

    assert places(law, bias=[True, False], seed=st.integers(0, 9)) == ["It is wrong without bias, and right with bias."]


def test_a_number_is_a_border():
    def law(rate):
        check.equal(rate < 0.5, True)

    said = "It is wrong for rate from 0.5 on, and right for smaller ones, up to 0.25."
    assert places(law, rate=[0.1, 0.25, 0.5, 0.8]) == [said]


# Twenty wrong files.

FILES = [
    ("k01", "return ids\n", "return ids[::-1]\n", "in reverse order"),
    ("k01", "enumerate(characters)}\n        self.itos", "enumerate(characters, 1)}\n        self.itos", "1 too large"),
    ("k03", "self.tok_emb(ids) + ", "self.tok_emb(ids) - ", "if `pos_emb.weight` has the other sign"),
    ("k03", "self.tok_emb(ids) + ", "2 * self.tok_emb(ids) + ", "if `tok_emb.weight` is used twice"),
    ("k04", "weights @ value, weights", "weights @ key, weights", "does not change with `value` at all"),
    ("k04", "scores / key.shape[-1] ** 0.5", "scores / key.shape[-1]", ""),
    ("k04", "exponentials.sum(dim=dim", "exponentials.sum(dim=0", "another row"),
    ("k05", "diagonal=1", "diagonal=2", "only entries right above the diagonal are wrong"),
    ("k05", "diagonal=1", "diagonal=0", "triu from diagonal 0"),
    ("k05", "self.mask[:tokens, :tokens])", "self.mask[:tokens, :tokens].T)", "a later token"),
    ("k06", "self.out_proj(merge_heads(context))", "merge_heads(context)", "without `out_proj`"),
    ("k07", "(x - mean) / torch.sqrt", "x / torch.sqrt", "shifted by a number of its own"),
    ("k07", "self.weight * normalised + self.bias", "self.weight * normalised", "`bias` is not used"),
    ("k08", "0.5 * x * (1", "x * (1", "2 times the expected answer"),
    ("k08", "return self.down(hidden)", "return x + self.down(hidden)", "the expected answer plus `x`"),
    ("k08", "self.activation(self.up(x))", "self.up(x)", "without `activation`"),
    ("k09", "out = gelu(layer(x))", "out = layer(x)", "without `gelu`"),
    ("k09", "self.feed_forward(self.norm2(x))", "self.feed_forward(x)", "norm2"),
    ("k11", "-picked.mean()", "picked.mean()", "right but for its sign"),
    ("k11", "-picked.mean()", "-picked.sum()", "`sum` in place of the mean"),
    ("k13", "return logits / t", "return logits * t", "for 1/t"),
]


def observed(tmp_path: Path, code: str, old: str, new: str) -> list[str]:
    """What is observed of a solution with a swap, at the first claim that fails."""
    catalog = Catalog(ROOT)
    kata = next(kata for kata in catalog.katas if kata.code == code)
    text = kata.solution.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {kata.slug}"
    file = tmp_path / f"{kata.name}.py"
    file.write_text(text.replace(old, new), encoding="utf-8")
    run = KataRun(kata, Workspace(catalog), file)
    assert run.load()
    for each in run.suite.claims:
        if not each.slow and (outcome := run.check(each)).kind not in ("passed", "not_started"):
            solution = run.workspace.variant(kata, text, "the solution")
            return observe(each, outcome, run.subject, solution, run.reference)
    raise AssertionError("nothing fails")


@pytest.mark.parametrize(("code", "old", "new", "part"), FILES, ids=[f"{each[0]} {each[2].strip()}" for each in FILES])
def test_a_wrong_file_is_observed(tmp_path, code, old, new, part):
    sentences = observed(tmp_path, code, old, new)
    assert len(sentences) <= 3 and any(part in sentence.lower() for sentence in sentences), sentences


# Mistakes of the bank, most of them of code with a state.

BANK = [
    ("k14", "all groups get the first group's rate", "the rate of group 1 is wrong"),
    ("k14", "the extension is cut off", "there is no file"),
    ("k17", "the optimizer forgets the iterations", "as if it were given steps = 5"),
    ("k17", "no decay in AdamW unless told", "the default of `weight_decay` in `adamw_step` should be 0.01"),
    ("k18", "values are not kept", "the first call of `append` does what it should, the second does not"),
    ("k18", "no positions", "if `embedding.pos_emb.weight` is not used"),
    ("k12", "each parameter is clipped by itself", "the right direction, but a factor of its own in each of them"),
    ("k17", "eps under the root", "then the square root is expected, and the “+ eps” comes"),
    ("k17", "the buffer keeps the step", "of the 2 things it gives only the second is wrong"),
    ("k01", "letters outside ASCII are lost", "where `text` has characters outside ascii, and right elsewhere"),
    ("k24", "silu as softplus", "then the silu is expected, and the softplus comes"),
]


@pytest.mark.parametrize(("code", "name", "part"), BANK, ids=[each[1] for each in BANK])
def test_a_mistake_that_is_not_named_is_observed(tmp_path, code, name, part):
    catalog = Catalog(ROOT)
    kata = next(kata for kata in catalog.katas if kata.code == code)
    text = kata.solution.read_text(encoding="utf-8")
    run = KataRun(kata, Workspace(catalog), tmp_path / f"{kata.name}.py")
    mistake = next(mistake for mistake in load_suite(kata).mistakes if mistake.name == name)
    run.path.write_text(mistake.apply(text), encoding="utf-8")
    assert run.load()
    claim = run.suite.claim(mistake.caught_by)
    solution = run.workspace.variant(kata, text, "the solution")
    sentences = observe(claim, run.check(claim), run.subject, solution, run.reference)
    assert any(part in sentence.lower() for sentence in sentences), sentences
