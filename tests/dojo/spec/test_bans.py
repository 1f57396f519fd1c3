"""A banned call is caught however it is written, and nothing else is."""

import contextlib
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dojo.spec.bans import (
    CROSS_ENTROPY,
    DROPOUT,
    FUSED_ATTENTION,
    GELU,
    NORMALISATION,
    SOFTMAX,
    ban,
    ban_module,
    enforced,
    oracle,
)
from dojo.spec.errors import Refused

from ..trees import ROOT

X = torch.rand(2, 3, 4, 4)
ALIAS = F.softmax


class Mine(nn.LayerNorm):
    """Somebody's own layer, which is torch's after all."""


CALLS = {
    "function": (SOFTMAX, lambda: F.softmax(X, -1)),
    "torch function": (SOFTMAX, lambda: torch.softmax(X, -1)),
    "method": (SOFTMAX, lambda: X.softmax(-1)),
    "method of the class": (SOFTMAX, lambda: torch.Tensor.softmax(X, -1)),
    "alias": (SOFTMAX, lambda: ALIAS(X, -1)),
    "module": (SOFTMAX, lambda: nn.Softmax(-1)(X)),
    "sibling": (SOFTMAX, lambda: F.log_softmax(X, -1).exp()),
    "operation": (SOFTMAX, lambda: torch.ops.aten._softmax(X, -1, False)),
    "special": (SOFTMAX, lambda: torch.special.softmax(X, -1)),
    "subclass": (NORMALISATION, lambda: Mine(4)(X)),
    "other norm": (NORMALISATION, lambda: F.group_norm(X, 1)),
    "rms norm": (NORMALISATION, lambda: F.rms_norm(X, (4,))),
    "gelu": (GELU, lambda: F.gelu(X, approximate="tanh")),
    "gelu module": (GELU, lambda: nn.GELU()(X)),
    "dropout": (DROPOUT, lambda: F.dropout(X, 0.5)),
    "dropout module": (DROPOUT, lambda: nn.Dropout(0.5)(X)),
    "dropout by channel": (DROPOUT, lambda: F.dropout2d(X, 0.5)),
    "fused attention": (FUSED_ATTENTION, lambda: F.scaled_dot_product_attention(X, X, X)),
    "attention module": (FUSED_ATTENTION, lambda: nn.MultiheadAttention(4, 2)(X[0], X[0], X[0])),
    "loss": (CROSS_ENTROPY, lambda: F.cross_entropy(X[0, 0], torch.arange(4))),
    "loss module": (CROSS_ENTROPY, lambda: nn.CrossEntropyLoss()(X[0, 0], torch.arange(4))),
    "half a loss": (CROSS_ENTROPY, lambda: F.nll_loss(X[0, 0], torch.arange(4))),
}


@pytest.mark.parametrize(("names", "call"), CALLS.values(), ids=CALLS.keys())
def test_a_banned_call_is_refused_however_it_is_written(names, call):
    banned = [ban(*names, why="reason.")]
    with pytest.raises(Refused, match="which this kata does not allow: reason."), enforced(banned, 1):
        call()


def test_catching_the_refusal_does_not_help():
    with pytest.raises(Refused), enforced([ban(*SOFTMAX, why="")], 1), contextlib.suppress(BaseException):
        X.softmax(-1)


def test_a_refusal_comes_before_what_went_wrong_because_of_it():
    with pytest.raises(Refused), enforced([ban(*SOFTMAX, why="")], 1):
        try:
            X.softmax(-1)
        except BaseException:
            raise ValueError("something else") from None


def test_other_calls_are_none_of_its_business():
    with enforced([ban(*names, why="") for names in (SOFTMAX, DROPOUT, NORMALISATION, GELU, CROSS_ENTROPY)], 1):
        weights = X.exp() / X.exp().sum(-1, keepdim=True)
        nn.Linear(4, 4)(weights).tanh().sum().backward()


def test_a_ban_of_one_step_leaves_the_others_alone():
    with enforced([ban(*SOFTMAX, why="", steps=[2])], 1):
        X.softmax(-1)
    with pytest.raises(Refused), enforced([ban(*SOFTMAX, why="", steps=[2])], 2):
        X.softmax(-1)


def test_a_ban_ends_with_its_block():
    with pytest.raises(Refused), enforced([ban(*SOFTMAX, why="")], 1):
        X.softmax(-1)
    X.softmax(-1)


def test_an_oracle_may_compute_with_what_is_banned():
    @oracle
    def slow():
        return X.softmax(-1)

    with enforced([ban(*SOFTMAX, why="")], 1):
        slow()
    with pytest.raises(Refused), enforced([ban(*SOFTMAX, why="")], 1):
        slow()
        X.softmax(-1)


@pytest.mark.parametrize(
    "code",
    [
        "import json; json.dumps(1)",
        "from json import dumps",
        "import json as j; j.loads('1')",
        "__import__('json').dumps(1)",
        "from json.decoder import JSONDecoder",
    ],
)
def test_a_banned_module_can_be_imported_but_not_used(code):
    real = sys.modules["json"]
    with enforced([ban_module("json", why="")], 1):
        exec("import json")
    with pytest.raises(Refused, match="`json"), enforced([ban_module("json", why="reason")], 1):
        exec(code)
    assert sys.modules["json"] is real


def test_enforcing_bans_does_not_load_the_compiler():
    program = (
        "import sys, torch; from dojo.spec.bans import FUSED_ATTENTION, Ban, enforced\n"
        "with enforced([Ban(names=FUSED_ATTENTION, why='')], 1): torch.ones(2).sum()\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
