"""What a submission may write: all that a kata needs, and nothing that leads out of it."""

from types import ModuleType

import pytest

from dojo.grading.guards import Guards
from dojo.grading.policy import compiled
from dojo.spec.errors import Refused


class Ended(BaseException):
    """Stands for the end of the process."""


def refuse(why):
    raise Ended(why)


@pytest.fixture(scope="module")
def guards():
    return Guards(refuse)


def run(guards, text):
    module = ModuleType("katas.k05_causal_attention.causal_attention")
    guards.run(text, "own.py", module)
    return module


FINE_TEXTS = """\
import torch
from torch import nn
result = nn.Linear(2, 3)(torch.zeros(1, 2)).shape
---
from math import *
result = sqrt(pi)
---
class A:
    def __init__(self):
        self._x, self.__y = 1, 2
    def sum(self):
        return self._x + self.__y
result = A().sum()
---
from dataclasses import dataclass
@dataclass(frozen=True)
class P:
    x: int = 1
result = P() == P(1)
---
from typing import NamedTuple
class P(NamedTuple):
    x: int
result = P(1)._replace(x=2).x
---
from functools import wraps, lru_cache
def d(f):
    @wraps(f)
    def g(): return f()
    return g
@lru_cache
@d
def h(): return 3
result = h()
---
import torch
class S(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g
x = torch.ones(1, requires_grad=True)
S.apply(x).backward()
result = x.grad
---
result = '{} {name!r:>5}'.format(1, name='a') + f'{3:.2f}'
---
result = type(3) is int, isinstance(int, type), (3).__class__.__name__
---
from jaxtyping import Float
from torch import Tensor
def f(x: Float[Tensor, 'B T']) -> Float[Tensor, 'B']: return x
result = f
---
import os, tempfile
handle, name = tempfile.mkstemp()
with os.fdopen(handle, 'wb') as file:
    file.write(b'x')
result = os.path.getsize(name)
os.remove(name)
---
from enum import Enum
class C(Enum):
    RED = 1
result = C.RED.value
---
from operator import attrgetter, itemgetter
result = attrgetter('real')(3)
---
def f(): f.calls = getattr(f, 'calls', 0) + 1
f()
result = f.calls
---
import numpy as np
result = isinstance(np.zeros(2), np.ndarray)
---
class Pair(tuple):
    __lt__ = tuple.__gt__
result = Pair((1, 2)) < Pair((0, 1))
---
import torch
t = torch.zeros(2, requires_grad=True)
t.grad = torch.ones(2)
t.data += 1
result = t.grad
---
result = 1
if __name__ == "__main__":
    import sys
    print(sys.argv, input())
---
from torch.utils.data import DataLoader
result = [x.tolist() for x in DataLoader([1, 2, 3], batch_size=2)]
"""
FINE = FINE_TEXTS.split("---\n")


@pytest.mark.parametrize("text", FINE)
def test_what_a_kata_needs_runs_as_it_would_elsewhere(guards, text):
    assert hasattr(run(guards, text), "result")


def test_a_submission_sees_its_own_mistakes_as_python_says_them(guards):
    with pytest.raises(AttributeError, match="has no attribute 'x'"):
        run(guards, "class A: pass\nA().x")
    for text, why in (("import os\nos.environ", "'environ' in grading"), ("import os\nos.nothing", "'nothing'$")):
        with pytest.raises(AttributeError, match=why):
            run(guards, text)
    with pytest.raises(Refused, match="Line 2: .*importing `scipy`"):
        compiled("\nimport scipy", "own.py")


REFUSED = {
    "import os.path as p, ctypes": "ctypes",
    "x = (1).__class__": "__class__",
    "def f(__builtins__): ...": "__builtins__",
    "for x.__dict__ in []: ...": "__dict__",
    "global __import__": "__import__",
    "try: ...\nexcept Exception as __loader__: ...": "__loader__",
    "x = lambda: (yield).gi_frame": "gi_frame",
    "from torch import _C": "_C",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_leads_out_is_refused_before_it_runs_with_its_line(text):
    with pytest.raises(Refused, match=f"Line [12]: grading does not allow this: .*{REFUSED[text]}"):
        compiled(text, "own.py")


ENDED = {
    "import torch\nx = torch\nx.equal = 1": "changes the module torch",
    "import torch\ntorch.Tensor.foo = 1": "changes Tensor",
    "import random\nrandom._os": "private",
    "import torch\nclass T(torch.Tensor): pass": "derived from Tensor",
    "class F(float):\n    def __abs__(self): return 0": "another `__abs__`",
    "type('X', (), {})": "makes a class",
    "print('{0.__init__}'.format(print))": "reads attributes",
    "getattr(print, '__self__')": "__self__",
    "open('/etc/passwd')": "not in its folder",
    "vars(print)": "vars",
}


@pytest.mark.parametrize("text", ENDED)
def test_what_leads_out_while_it_runs_ends_the_process(guards, text):
    with pytest.raises(Ended, match=ENDED[text]):
        run(guards, text)
