"""Answers: what must be the same is, what must not is told apart, and nothing depends on the process."""

import dataclasses
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from dojo.judge.answers import answer_of
from dojo.spec.check import Mismatch
from dojo.spec.claims import Outcome
from dojo.system.processes import environment

TENSOR = torch.linspace(-3, 5, 24).view(2, 3, 4)


@dataclasses.dataclass
class Pair:
    first: object
    second: object


def answer(value):
    return answer_of(("mismatch", "wrong", value))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TENSOR, TENSOR * (1 + 1e-6)),
        (TENSOR, TENSOR.transpose(0, 1).contiguous().transpose(0, 1)),
        (TENSOR, nn.Parameter(TENSOR)),
        (0.1 + 0.2, 0.3),
        ([1.5, TENSOR], (1.5, TENSOR)),
        ({"a": TENSOR, "b": 2}, OrderedDict(a=TENSOR.clone(), b=2)),
        ({1, "x", (2, 3)}, {(2, 3), "x", 1}),
        (nn.Linear(1, 2), nn.Linear(3, 4)),  # no two modules are equal
        (Pair(1, TENSOR), Pair(1, TENSOR + 1e-6)),
        (np.arange(3.0), torch.arange(3.0).double()),
        (torch.empty(2, 3, device="meta"), torch.empty(2, 3, device="meta")),
    ],
)
def test_what_is_the_same_within_the_tolerance_is_the_same_answer(one, other):
    assert answer(one).agrees(answer(other)) and answer(other).agrees(answer(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TENSOR, TENSOR.double()),
        (TENSOR, TENSOR.flatten()),
        (TENSOR, TENSOR.flip(0)),
        (TENSOR, TENSOR * 1.01),
        (TENSOR, TENSOR.where(TENSOR < 4.9, torch.nan)),
        (torch.tensor([torch.inf, 1.0]), torch.tensor([-torch.inf, 1.0])),
        (torch.tensor([1, 2]), torch.tensor([2, 1])),
        (1, True),
        (1, 1.0),
        ("a", "b"),
        (None, 0),
        ([TENSOR], [TENSOR, TENSOR]),
        ([1.0, 2.0], [2.0, 1.0]),
        ({1, 2}, {1, 3}),
        (nn.Linear(1, 2), nn.Identity()),
        (torch.zeros(0), torch.zeros(0, 1)),
    ],
)
def test_what_differs_is_another_answer(one, other):
    assert not answer(one).agrees(answer(other))


def test_long_tensors_are_looked_at_to_their_end():
    long = torch.randn(3, 5000, generator=torch.Generator().manual_seed(1))
    other = long.clone()
    other[2, 4999] += 3
    assert answer(long).agrees(answer(long + 1e-7)) and not answer(long).agrees(answer(other))


def test_numbers_beyond_single_precision_are_an_answer_too():
    huge = answer(torch.tensor([1e300, -2e300], dtype=torch.float64))
    assert np.isfinite(huge.projections.astype(np.float32)).all() and huge.agrees(huge)
    assert not huge.agrees(answer(torch.tensor([1.0, -2.0], dtype=torch.float64)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_smallest_number_of_a_type_hides_nothing_else(dtype):
    smallest = torch.finfo(dtype).min
    filled = TENSOR.to(dtype).where(TENSOR > 0, smallest)
    with np.errstate(all="raise"):
        first = answer(filled)
    assert np.isfinite(first.projections.astype(np.float32)).all() and first.agrees(answer(filled * (1 - 1e-6)))
    assert first.agrees(answer(filled.where(TENSOR > 0, smallest / 2 + smallest / 3)))  # of about that size
    others = [TENSOR.to(dtype).where(TENSOR > 0, fill) for fill in (-1e9, -torch.inf, -smallest, smallest / 100)]
    for other in [*others, filled.where(TENSOR < 4.9, 3.0), filled.where(TENSOR > -2, 0.0)]:
        assert not first.agrees(answer(other))


def test_a_pass_is_no_answer():
    assert answer_of(("passed", "NoneType", [])).passed and not answer(None).passed


def test_words_of_errors_are_free_and_their_numbers_are_not():
    own = type("Own", (ValueError,), {"__module__": "katas.k01_x.x"})
    outcomes = [
        Outcome("raised", error)
        for error in (ValueError("7 is too many"), own("not more than 7, at 0x7f00ab12"), ValueError("8 is too many"))
    ]
    first, second, third = (answer_of(outcome.evidence) for outcome in outcomes)
    assert first.agrees(second) and not first.agrees(third)


def test_names_of_arguments_are_free():
    gist = "`f` changes an argument"
    outcomes = [Outcome("mismatch", Mismatch(f"`f` changes its argument `{name}`", 1, 2, gist=gist)) for name in "xy"]
    assert answer_of(outcomes[0].evidence).agrees(answer_of(outcomes[1].evidence))


def test_answers_are_the_same_in_every_process():
    program = (
        "import torch\nfrom dojo.judge.answers import answer_of\n"
        "answer = answer_of(('mismatch', {'b', 'a', 'c'}, [torch.arange(5.0), {'x': 1.5, 'y': 'z'}]))\n"
        "print(answer.digest, answer.projections.tolist())"
    )
    run = [sys.executable, "-c", program]
    said = {subprocess.check_output(run, env=environment(PYTHONHASHSEED=str(seed)), text=True) for seed in (1, 2)}
    assert len(said) == 1
