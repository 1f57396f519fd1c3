"""Type, shape and dtype come before values, and nothing is ever broadcast."""

import pytest
import torch

from dojo.spec import check
from dojo.spec.check import Mismatch, same

ONES = torch.ones(2, 3)


def problem(call, *arguments, **options) -> str:
    with pytest.raises(Mismatch) as caught:
        call(*arguments, **options)
    return caught.value.problem


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (None, "it is None: is a `return` missing?"),
        ([[1.0] * 3] * 2, "it is a list, not a tensor"),
        (ONES[:1], "it has shape (1, 3), not (2, 3)"),
        (torch.tensor(1.0), "it has shape (), not (2, 3)"),
        (ONES.double(), "it has dtype float64, not float32"),
        (ONES.long(), "it has dtype int64, not float32"),
        (ONES * torch.nan, "it holds NaN (not a number)"),
        (ONES + 0.01, "it has wrong values"),
        (ONES * torch.inf, "it has wrong values"),
    ],
)
def test_what_is_wrong_is_said_in_the_plainest_order(got, said):
    assert problem(check.equal, got, ONES, "it") == said


def test_rounding_is_forgiven_and_no_more():
    check.equal(ONES + 5e-5, ONES)
    check.equal(ONES.float(), ONES.double())  # a double may come back in float32
    assert problem(check.equal, ONES + 2e-4, ONES) == "the result has wrong values"
    assert problem(check.exactly, ONES + 1e-6, ONES) == "the result has wrong values"
    check.equal(torch.full((2,), -torch.inf), torch.full((2,), -torch.inf))


@pytest.mark.parametrize(("got", "want"), [(1, True), (True, 1), ([1], (1,)), ("a", "b"), (1.1, 1.0), (True, 1.0)])
def test_plain_values_are_equal_in_type_and_value(got, want):
    with pytest.raises(Mismatch):
        check.equal(got, want)
    check.equal(want, want)


def test_integers_do_for_floats():
    check.equal(2, 2.0)
    check.equal(0.1 + 0.2, 0.3)


def test_the_evidence_is_a_copy():
    values = torch.zeros(2)
    with pytest.raises(Mismatch) as caught:
        check.equal(values, torch.ones(2), x=values)
    values += 7
    assert caught.value.got.tolist() == caught.value.given["x"].tolist() == [0, 0]


def test_a_leak_by_rounding_is_told_from_a_large_one_and_no_leak_passes():
    where = torch.tensor([False, True, True])
    check.no_leak(torch.tensor([1.0, 0.0, 0.0]), where, "it")
    alike = []
    for leak in ([1.0, 1e-9, 0.0], [1.0, 0.0, 1e-8], [1.0, 0.0, 0.5]):
        with pytest.raises(Mismatch) as caught:
            check.no_leak(torch.tensor(leak), where, "it")
        alike.append(caught.value.alike)
    assert alike[:2] == ["a trace", "a trace"] and alike[2].tolist() == [0, 0, 0.5]


def test_differing_entries_are_marked_in_as_few_digits_as_tell():
    with pytest.raises(Mismatch) as caught:
        check.exactly(torch.tensor([1.0, 2.0001]), torch.tensor([1.0, 2.0]))
    assert caught.value.texts() == ("[  1.0, »2.0«]", "[     1.0, »2.0001«]")


def test_raises_demands_the_kind_and_the_numbers():
    def refuse():
        raise ValueError("7 does not divide 16")

    check.raises(ValueError, refuse, mentions=(7, 16))
    check.raises((IndexError, ValueError), refuse, mentions=[("seven", 7)])
    assert problem(check.raises, ValueError, refuse, [1]).endswith("does not say 1")  # 16 is not 1
    assert "raises ValueError, but should raise IndexError" in problem(check.raises, IndexError, refuse)
    assert "is accepted, but should raise" in problem(check.raises, ValueError, lambda: None)


def test_a_parameter_is_found_by_its_path_or_named():
    module = torch.nn.Sequential(torch.nn.Linear(2, 3))
    assert check.parameter(module, "0.weight") is module[0].weight
    assert problem(check.parameter, module, "0.weights") == "Linear has no attribute `weights`"
    assert "not a parameter" in problem(check.parameter, module, "0")


def test_parameters_are_copied_and_buffers_are_not():
    source, target = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    torch.nn.init.constant_(source.weight, 5)
    source.running_mean.fill_(5)
    check.copy_parameters(source, target)
    assert target.weight.tolist() == [5, 5, 5] and target.running_mean.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (ONES, ONES + 1e-6, True),
        (ONES, ONES + 1e-2, False),
        (ONES, ONES[:1], False),
        (ONES, ONES.double(), False),
        (ONES * torch.nan, ONES * torch.nan, True),
        (ONES, None, False),
        (float("nan"), float("nan"), True),
        ((1, ONES), (1, ONES.clone()), True),
        ([1, 2], [1], False),
        (1, True, False),
    ],
)
def test_answers_are_the_same_or_not(one, other, alike):
    assert same(one, other) is alike


def test_entries_of_dicts_are_compared_one_by_one():
    weights = {"a": torch.ones(2), "b": [torch.zeros(2), 1.0]}
    assert same(weights, {"b": [torch.zeros(2), 1.0], "a": torch.ones(2)})
    assert not same(weights, {"a": torch.ones(2), "b": [torch.ones(2), 1.0]}) and not same(
        weights, {"a": torch.ones(2)}
    )


def test_a_name_of_ones_own_is_no_part_of_the_gist():
    own = type("Own", (ValueError,), {"__module__": "katas.k01_x.x"})
    assert (check.plain_name(own), check.plain_name(ValueError)) == ("ValueError", "ValueError")
    with pytest.raises(Mismatch, match="it is a Own, not an int") as caught:
        check.equal(own(), 1, "it")
    assert (caught.value.gist, caught.value.alike) == ("it is a ValueError, not an int", "its own")
