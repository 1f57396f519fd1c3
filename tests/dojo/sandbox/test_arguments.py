"""A function that changes what it is given is found out, whatever the claim is about."""

from types import ModuleType

import pytest
import torch
from torch import nn

from dojo.sandbox.arguments import LARGE
from dojo.sandbox.calls import Calls
from dojo.spec.check import Mismatch


@pytest.fixture
def code():
    """A module of a learner's, made of a text."""

    def make(text):
        module = ModuleType("learned")
        exec(text, module.__dict__)
        Calls().watch(module)
        return module

    return make


def test_a_tensor_changed_in_place_is_found(code):
    module = code("def halve(x):\n    x /= 2\n    return x\n")
    with pytest.raises(Mismatch, match=r"^`halve` changes its argument `x`") as found:
        module.halve(torch.tensor([2.0, 4.0]))
    assert (found.value.got.tolist(), found.value.want.tolist()) == ([1.0, 2.0], [2.0, 4.0])


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("def take(x):\n    return x.pop()\n", [1, 2]),
        ("def take(x):\n    x['new'] = 1\n", {"old": 0}),
        ("def take(x):\n    x[0][0] = 5\n", [torch.zeros(2)]),
        ("def take(*, x):\n    x.fill_(7)\n", torch.zeros(2)),
        ("def take(x):\n    x.resize_(3)\n", torch.zeros(2)),
    ],
)
def test_lists_dicts_and_what_is_in_them_are_looked_at(code, text, argument):
    with pytest.raises(Mismatch, match="changes its argument `x`"):
        code(text).take(x=argument)


def test_methods_are_looked_at_too(code):
    forward = "    def forward(self, x):\n        return x.mul_(0.5)\n"
    module = code("from torch import nn\nclass Half(nn.Module):\n" + forward)
    with pytest.raises(Mismatch, match=r"^`Half\.forward` changes its argument `x`"):
        module.Half()(torch.ones(2))


@pytest.mark.parametrize(
    "text",
    [
        "def take(x):\n    return x / 2\n",
        "def inner(y):\n    return y.mul_(2)\n\ndef take(x):\n    return inner(x.clone())\n",
        "def take(x):\n    return x\n",
    ],
    ids=["a new tensor", "its own tensors within", "the very same"],
)
def test_what_is_left_alone_passes(code, text):
    assert isinstance(code(text).take(torch.tensor([1.0, float("nan")])), torch.Tensor)


def test_an_error_of_the_function_comes_first(code):
    with pytest.raises(ValueError, match="mine"):
        code("def take(x):\n    x.zero_()\n    raise ValueError('mine')\n").take(torch.ones(1))


def test_what_is_too_large_or_no_value_is_not_looked_at(code):
    module = code("def take(x, model=None):\n    x.append(1) if isinstance(x, list) else None\n    return model\n")
    module.take([0] * (LARGE + 1))
    model = nn.Linear(1, 1)
    assert module.take(None, model) is model


def test_names_imported_from_elsewhere_stay_as_they_are(code):
    assert code("from math import sqrt\nfrom torch.nn.functional import relu_\n").relu_ is nn.functional.relu_
