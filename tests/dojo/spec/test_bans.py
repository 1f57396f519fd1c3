"""A banned call is caught however it is written, and nothing else is."""

import contextlib
import functools
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy import linalg
from numpy.linalg import svd
from torch import nn
from torch.nn import functional as F
from torch.optim.adamw import AdamW, adamw

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


COMPILED = torch.jit.trace(lambda x: x.softmax(-1), X)


def without_torch_functions(call):
    with torch._C.DisableTorchFunction():
        return call()


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
    "private": (GELU, lambda: torch._C._nn.gelu(X)),
    "other operation": (GELU, lambda: torch.ops.aten.gelu(X)),
    "private function": (SOFTMAX, lambda: torch._C._VariableFunctions.softmax(X, -1)),
    "without torch functions": (SOFTMAX, lambda: without_torch_functions(lambda: X.softmax(-1))),
    "compiled": (SOFTMAX, lambda: COMPILED(X)),
    "by rows": (SOFTMAX, lambda: torch.vmap(lambda row: row.softmax(-1))(X)),
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


ARRAY = np.eye(3)
WEIGHT = nn.Parameter(torch.eye(3))
STATE = [WEIGHT], [torch.ones(3, 3)], [torch.zeros(3, 3)], [torch.zeros(3, 3)], [], [torch.tensor(1.0)]
OPTIONS = {"amsgrad": False, "beta1": 0.9, "beta2": 0.9, "lr": 0.1, "weight_decay": 0.0, "eps": 1e-8, "maximize": False}
PARTS = {
    "by its package": ("numpy.linalg", lambda: np.linalg.svd(ARRAY)),
    "imported before": ("numpy.linalg", lambda: linalg.svd(ARRAY)),
    "its function imported before": ("numpy.linalg", lambda: svd(ARRAY)),
    "imported now": ("numpy.linalg", lambda: exec("import numpy.linalg; numpy.linalg.svd(ARRAY)", globals())),
    "its function imported now": ("numpy.linalg", lambda: exec("from numpy.linalg import svd")),
    "in a partial": ("numpy.linalg", lambda: functools.partial(svd)(ARRAY)),
    "mapped": ("numpy.linalg", lambda: list(map(svd, [ARRAY]))),
    "by the table of modules": ("numpy.linalg", lambda: sys.modules["numpy.linalg"].svd(ARRAY)),
    "a class of torch": ("torch.optim", lambda: torch.optim.AdamW([WEIGHT])),
    "a class imported before": ("torch.optim", lambda: AdamW([WEIGHT])),
    "a function of torch": ("torch.optim", lambda: adamw(*STATE, **OPTIONS)),
    "a class in a deeper part": ("torch.optim.adamw", lambda: torch.optim.AdamW([WEIGHT])),
    "a tensor's array": ("numpy", lambda: WEIGHT.detach().numpy()),
    "an array of a tensor": ("numpy", lambda: np.add(ARRAY, WEIGHT.detach())),
}


@pytest.mark.parametrize(("module", "call"), PARTS.values(), ids=PARTS.keys())
def test_a_part_of_a_package_is_banned_however_it_is_reached(module, call):
    real = np.linalg, torch.optim
    bans = [ban_module(module, why="reason", steps=[2])]
    with pytest.raises(Refused, match="which this kata does not allow: reason"), enforced(bans, 2):
        call()
    assert (np.linalg, torch.optim) == real


def test_the_rest_of_the_package_may_be_used_and_torch_may_use_all():
    with enforced([ban_module("numpy.linalg", why=""), ban_module("torch.optim.adamw", why="")], 1):
        np.polyfit(np.arange(3), np.arange(3), 1)  # which calls numpy.linalg by itself
        torch.linalg.svd(torch.eye(3))
        torch.optim.SGD([WEIGHT], lr=0.1)


def test_an_oracle_may_use_a_banned_module():
    with enforced([ban_module("numpy.linalg", why="")], 1):
        oracle(lambda: (np.linalg.svd(ARRAY), svd(ARRAY)))()


def test_what_other_packages_have_ready_made_is_banned_with_torch_s(tmp_path, monkeypatch):
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy" / "__init__.py").touch()
    (tmp_path / "scipy" / "special.py").write_text("def softmax(x): return x")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for text in ("import scipy.special; scipy.special.softmax(1)", "from scipy.special import softmax"):
        bans = [ban(*SOFTMAX, why="reason")]
        with pytest.raises(Refused, match=r"`scipy\.special\.softmax`.*: reason"), enforced(bans, 1):
            exec(text)
    assert "scipy" not in sys.modules
    with enforced([], 1):
        import scipy.special  # noqa: F401
    for name in ("scipy", "scipy.special"):
        monkeypatch.delitem(sys.modules, name)
