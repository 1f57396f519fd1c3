"""Whether the judge is still the judge, after a submission has run in its process.

What a verdict rests on is compared with what it was before: the functions of the judge, of torch and Python that it
calls, the settings under which tensors are computed. And a known mistake is tried, which must still fail.
"""

from __future__ import annotations

import builtins
import signal
import sys
import threading
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType
from typing import Any

import hypothesis
import torch
from torch import Tensor, nn

from ..judge.run import KataRun
from ..sandbox.calls import Calls
from ..spec.mistakes import Mistake, compose
from ..spec.torch_internals import modes, module_hooks
from .views import Refuse

CALLABLE = (FunctionType, BuiltinFunctionType, MethodDescriptorType, type, staticmethod, classmethod, property)
ROOTS = ("dojo", "_dojo_tests")  # the judge's modules


class Integrity:
    """What the judge consisted of when this was made."""

    def __init__(self) -> None:
        self._parts = dict(_parts())
        self._finders = list(sys.meta_path)
        self._threads = threading.active_count()
        self._standing = _standing()

    def changed(self) -> str:
        """What is not as it was, in words; nothing where all is."""
        for (where, name), value in _parts():
            before = self._parts.get((where, name), value)
            if before is not value:
                return f"{where}.{name} is another one"
        missing = self._parts.keys() - {key for key, _ in _parts()}
        return ".".join(min(missing)) + " is gone" if missing else self.unsettled()

    def unsettled(self) -> str:
        """Which setting, mode, hook or thread was left behind, in words."""
        if threading.active_count() > self._threads:
            return "a thread is still running"
        for what, value in _standing().items():
            if value != self._standing[what]:
                return f"{what} was left at {value}"
        return ""


def _parts() -> Iterator[tuple[tuple[str, str], Any]]:
    """What can be called, by where it is and its name."""
    judges = [module for name, module in list(sys.modules.items()) if name.split(".")[0] in ROOTS and module]
    wholes: list[Any] = [builtins, torch, torch.nn.functional, torch.autograd, Tensor, nn.Module, nn.Parameter]
    for whole in (*wholes, hypothesis, *judges):
        name = whole.__name__
        for key, value in list(vars(whole).items()):
            if isinstance(value, CALLABLE):
                yield (name, key), value
            if isinstance(value, type) and getattr(value, "__module__", None) == name:
                for method, function in list(vars(value).items()):
                    if isinstance(function, CALLABLE):
                        yield (f"{name}.{key}", method), function


def _standing() -> dict[str, Any]:
    """What torch and Python are set to, and what is installed in them."""
    return _of_torch() | {
        "the default device": str(torch.get_default_device()),
        "anomaly detection": torch.is_anomaly_enabled(),
        "the finders of modules": [type(finder).__name__ for finder in sys.meta_path],
        "the handler of a signal": [signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGPROF)],
    }


def _of_torch() -> dict[str, Any]:
    """What is in force in torch, for whoever computes next."""
    return {
        "the modes of torch": modes(),
        "the hooks of all modules": module_hooks(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "the default dtype": str(torch.get_default_dtype()),
        "inference mode": torch.is_inference_mode_enabled(),
    }


def settled_calls(refuse: Refuse) -> type[Calls]:
    """Calls of a submission after each of which torch is as it was before: the reference computes next."""

    class SettledCalls(Calls):
        def _call(self, *call: Any) -> Any:
            before = _of_torch()
            try:
                return super()._call(*call)
            finally:
                for what, value in _of_torch().items():
                    if value != before[what]:
                        refuse(f"{what} was left at {value} when a call came back")

    return SettledCalls


class Canary:
    """A mistake that the judge knows, to be judged again where a submission has been."""

    def __init__(self, run: KataRun, solution: str):
        """It is the mistake whose claim was checked the fastest in `run`; a kata without mistakes has none."""
        ours = [(run.seconds.get(each.caught_by, 99.0), each) for each in run.suite.mistakes if each.family is None]
        self._mistake: Mistake | None = min(ours, key=lambda pair: pair[0])[1] if ours else None
        self._source = (compose([self._mistake], solution) if self._mistake else "") or ""

    def still_fails(self, run: KataRun) -> bool:
        """Whether the mistake is still seen, in the process of `run`."""
        if self._mistake is None:
            return True
        subject = run.workspace.variant(run.kata, self._source, "the canary")
        claim = run.suite.claim(self._mistake.caught_by)
        return claim.tried(subject, run.reference).kind != "passed"
