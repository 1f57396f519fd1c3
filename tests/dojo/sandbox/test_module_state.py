"""A module that keeps something between calls is loaded anew before the next claim, and only such a one."""

import os

import pytest

from dojo.curriculum.catalog import Catalog
from dojo.judge.run import KataRun
from dojo.sandbox.loader import LEARNER, Workspace

from ..trees import ROOT

ALONE = (True, False) if hasattr(os, "fork") else (True, True)  # without a second process, or with it

CATALOG = Catalog(ROOT)
KATA = CATALOG.find("5")
KEEPS = {
    "global name": "count = 0\ndef f():\n    global count\n    count += 1\n    return count",
    "dict": "kept = {}\ndef f():\n    kept[len(kept)] = 1\n    return len(kept)",
    "list in a dict": "kept = {'all': []}\ndef f():\n    kept['all'].append(1)\n    return len(kept['all'])",
    "default": "def f(kept=[]):\n    kept.append(1)\n    return len(kept)",
    "keyword default": "def f(*, kept=[]):\n    kept.append(1)\n    return len(kept)",
    "attribute of the function": "def f():\n    f.count = getattr(f, 'count', 0) + 1\n    return f.count",
    "class": "class A:\n    count = 0\ndef f():\n    A.count += 1\n    return A.count",
    "object": "class A:\n    count = 0\na = A()\ndef f():\n    a.count += 1\n    return a.count",
    "closure": "def make():\n    kept = []\n    def f():\n        kept.append(1)\n        return len(kept)\n"
    "    return f\nf = make()",
    "cache": "import functools\n@functools.lru_cache\ndef g():\n    return []\n"
    "def f():\n    g().append(1)\n    return len(g())",
    "tensor": "import torch\nkept = torch.zeros(())\ndef f():\n    kept.add_(1)\n    return int(kept)",
    "module": "from torch import nn\nlayer = nn.Linear(1, 1)\nlayer.weight.data.fill_(0)\ndef f():\n"
    "    layer.weight.data = layer.weight.data + 1\n    return int(layer.weight)",
    "generator": "import torch\ng = torch.Generator().manual_seed(7)\nFIRST = torch.rand(1, generator=g)\n"
    "g.manual_seed(7)\ndef f():\n    return 1 if torch.rand(1, generator=g) == FIRST else 2",
    "Python's generator": "import random\ng = random.Random(7)\nFIRST = random.Random(7).random()\n"
    "def f():\n    return 1 if g.random() == FIRST else 2",
}
KEEPS_NOTHING = {
    "constants": "import torch\nEPS = 1e-5\nTABLE = {'a': [1]}\nMASK = torch.ones(2)\n"
    "def f():\n    return len(TABLE) + EPS",
    "a large table": "TABLE = list(range(100_000))\ndef f():\n    return TABLE[5]",
    "a layer": "from torch import nn\nclass L(nn.Module):\n    def forward(self):\n        return 1\n"
    "def f():\n    return L()()",
}


def load(text):
    return Workspace(CATALOG).load_text(KATA, text, "learned.py", f"{LEARNER}.{KATA.slug}.{KATA.name}")


@pytest.mark.parametrize("text", KEEPS.values(), ids=KEEPS.keys())
def test_what_is_kept_is_forgotten(text):
    subject = load(text)
    assert [subject.f(), subject.f()] == [1, 2]
    subject.renew()
    assert subject.f() == 1


@pytest.mark.parametrize("text", KEEPS_NOTHING.values(), ids=KEEPS_NOTHING.keys())
def test_a_module_that_keeps_nothing_is_not_loaded_again(text):
    subject = load(text)
    module, answer = subject.module, subject.f()
    subject.renew()
    assert subject.module is module and subject.f() == answer


def test_what_an_earlier_kata_keeps_is_forgotten_too():
    subject = load("from ..k04_self_attention import self_attention\ndef f():\n    return self_attention")
    subject.f().kept = 1
    subject.renew()
    assert not hasattr(subject.f(), "kept")


def test_what_it_prints_when_it_is_loaded_is_printed_once(capsys):
    subject = load("kept = []\nprint('hello')\ndef f():\n    kept.append(1)")
    subject.f()
    subject.renew()
    assert capsys.readouterr().out == "hello\n"


STATEFUL = {
    "a mask kept whatever its size": (
        "def causal_mask(tokens: int)",
        "def causal_mask(tokens: int):\n"
        "    if not KEPT:\n        KEPT.append(own_mask(tokens))\n    return KEPT[0]\n\n\n"
        "KEPT = []\n\n\ndef own_mask(tokens: int)",
    ),
    "right for a while": (
        "def causal_mask(tokens: int)",
        "def causal_mask(tokens: int):\n    KEPT.append(1)\n    return own_mask(tokens + (len(KEPT) > 40))\n\n\n"
        "KEPT = []\n\n\ndef own_mask(tokens: int)",
    ),
}


@pytest.mark.parametrize(("old", "new"), STATEFUL.values(), ids=STATEFUL.keys())
def test_the_verdict_does_not_depend_on_what_was_checked_before(tmp_path, old, new):
    path = tmp_path / "causal_attention.py"
    path.write_text(KATA.solution.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    verdicts = [KataRun(KATA, Workspace(CATALOG), path).run(alone=alone).as_dict() for alone in ALONE]
    read = [{key: v[key] for key in v if key not in ("steps", "seconds", "traceback")} for v in verdicts]
    assert read[0] == read[1]
    run = KataRun(KATA, Workspace(CATALOG), path)
    run.load(slow=False)
    claims = [claim for claim in run.suite.claims if claim.step == 1 and not claim.slow]
    assert [run.check(claim).kind for claim in claims] == [run.check(claim).kind for claim in claims[::-1]][::-1]
