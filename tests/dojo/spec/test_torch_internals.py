"""What is assumed of the private parts of torch; each program runs in a process of its own."""

import subprocess
import sys

import torch

from dojo.spec.torch_internals import modes, module_hooks

from ..trees import ROOT

MODE = """
import sys, torch
from dojo.spec.torch_internals import OperationMode
class Names(OperationMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))
names = []
with Names():
    torch.ones(2).sum()
assert names == ["ones", "sum"], names
assert "torch._dynamo" not in sys.modules
"""
UNSEEN = """
import torch
from dojo.spec.torch_internals import OperationMode, unseen
from torch.overrides import TorchFunctionMode
class Operations(OperationMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        seen.append(func)
        return func(*args, **(kwargs or {}))
class Functions(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        seen.append(func)
        return func(*args, **(kwargs or {}))
seen, weight = [], torch.ones(2, requires_grad=True)
with Operations(), Functions():
    with unseen():
        result = (weight * 2).sum()
    assert not seen, seen
    result + 1
assert len(seen) == 2, seen
result.backward()
assert weight.grad.tolist() == [2, 2], weight.grad
"""
OPTIMIZER = """
import sys, torch
assert "torch._dynamo" not in sys.modules
torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
assert "torch._dynamo" in sys.modules
"""


def run(program):
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_mode_sees_operations_and_does_not_load_the_compiler():
    run(MODE)


def test_what_is_unseen_no_mode_sees_and_gradients_pass():
    run(UNSEEN)


def test_the_first_optimizer_loads_the_compiler():
    """Where it no longer does, `load_compiler` can go."""
    run(OPTIMIZER)


def test_modes_and_hooks_of_all_modules_are_counted():
    before = modes(), module_hooks()
    hook = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    with torch.device("meta"):
        assert (modes(), module_hooks()) == (before[0] + 1, before[1] + 1)
    hook.remove()
    assert (modes(), module_hooks()) == before
