"""The private parts of torch that claims and bans need, in one place. Tried with torch 2.13.0.

`tests/dojo/spec/test_torch_internals.py` fails when they move.
"""

from __future__ import annotations

import importlib
from contextlib import nullcontext, suppress
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["OperationMode", "load_compiler", "modes", "module_hooks", "tree_leaves", "unseen"]

# Where one has moved, all is only slower.
_NO_FUNCTIONS = getattr(torch._C, "DisableTorchFunction", nullcontext)
_NO_DISPATCH = getattr(torch._C, "_DisableTorchDispatch", nullcontext)


class OperationMode(TorchDispatchMode):
    """A mode whose `__torch_dispatch__`, which a subclass defines, gets every operation of the dispatcher."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to keep its compiler off this mode torch would load the compiler, which takes longer than a verdict."""
        return False


class unseen:  # noqa: N801 - a context manager, entered some thousand times a verdict
    """Compute where no mode looks on: each operation that a mode sees takes ten times as long.

    Only for what no code under test has a part in, and of plain tensors: those of a subclass do not do without it.
    """

    def __init__(self) -> None:
        self.off = _NO_FUNCTIONS(), _NO_DISPATCH()

    def __enter__(self) -> None:
        self.off[0].__enter__()
        self.off[1].__enter__()

    def __exit__(self, *error: Any) -> None:
        self.off[1].__exit__(*error)
        self.off[0].__exit__(*error)


def load_compiler() -> None:
    """Import torch's compiler. The first optimizer of a process does, for a second that is not the learner's."""
    with suppress(ImportError):  # where it has moved, the learner waits that second
        importlib.import_module("torch._dynamo")


def modes() -> int:
    """How many modes look on at what is computed now."""
    stacks = ("_len_torch_function_stack", "_len_torch_dispatch_stack")
    return sum(getattr(torch._C, name, int)() for name in stacks)  # where it has moved, none is seen


def module_hooks() -> int:
    """How many hooks are called at every call of any module."""
    return sum(
        len(value)
        for name, value in vars(torch.nn.modules.module).items()
        if name.startswith("_global") and name.endswith("hooks")
    )
