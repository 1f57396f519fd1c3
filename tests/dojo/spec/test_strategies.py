"""Examples have pairwise distinct sizes, and the same call on equal sizes gives the same tensor."""

import pytest
import torch
from hypothesis import given, settings

from dojo.spec.strategies import Sizes, in_turn, randomise, sizes

SOME = settings(max_examples=30, deadline=None, database=None, derandomize=True)


@SOME
@given(sizes("B T h d d_in d_out V"))
def test_dimensions_are_pairwise_distinct_and_in_range(size):
    assert len(set(size.dims.values())) == 7
    assert 1 <= size.B <= 4 and 1 <= size.T <= 7 and 2 <= size.h <= 4


@SOME
@given(sizes("B T", T=(5, 6)))
def test_a_range_can_be_given(size):
    assert size.T in (5, 6)


@SOME
@given(sizes("B T d"))
def test_the_same_call_gives_the_same_tensor_and_another_salt_another(size):
    again = Sizes(dict(size.dims), size.seed, size.strided)
    one = size.normal("B T d")
    assert torch.equal(one, again.normal("B T d"))
    assert torch.equal(size.ids("B T", 9), again.ids("B T", 9))
    assert not torch.equal(one, size.normal("B T d", salt="other"))


def test_everything_has_its_turn_and_choices_are_mixed():
    rows = in_turn([range(8), "ab", "xyz"], 8)
    assert [row[0] for row in rows] == list(range(8))
    for column, values in ((1, "ab"), (2, "xyz")):
        assert all([row[column] for row in rows].count(value) >= 2 for value in values)
    assert len({row[1:] for row in rows}) > len("xyz")  # not the same pairs over and over
    assert in_turn([["only"], [False, True]], 5) == [("only", False), ("only", True)]


def test_inputs_are_sometimes_not_contiguous():
    seen = set()

    @SOME
    @given(sizes("B T d", B=(2, 3), T=(4, 5), d=(6, 7)))
    def look(size):
        seen.add(size.normal("B T d").is_contiguous())

    look()
    assert seen == {True, False}
    dims = {"T": 3, "d": 4}
    assert Sizes(dims, strided=True).normal("T d").tolist() == Sizes(dims).normal("T d").tolist()


def test_shapes_are_names_numbers_and_products():
    assert Sizes({"B": 2, "h": 3, "d": 5}).shape("B 7 h*d") == (2, 7, 15)


def test_an_unknown_dimension_is_an_attribute_error():
    with pytest.raises(AttributeError, match="K"):
        _ = Sizes({"B": 2}).K


def test_tensors_follow_the_default_dtype():
    size = Sizes({"B": 2})
    assert size.normal("B").dtype == torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert size.normal("B").dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_ids_stay_below_their_bound():
    ids = Sizes({"B": 50}).ids("B B", 3)
    assert ids.dtype == torch.int64 and set(ids.flatten().tolist()) == {0, 1, 2}


def test_randomise_leaves_no_parameter_at_its_start_and_is_repeatable():
    one, two = torch.nn.LayerNorm(4), torch.nn.LayerNorm(4)
    randomise(one, Sizes({}, 3))
    randomise(two, Sizes({}, 3))
    assert not (one.weight == 1).any() and not (one.bias == 0).any()
    assert torch.equal(one.weight, two.weight)
