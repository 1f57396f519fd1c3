"""Workloads: the timed calls of functions of one tensor, forward or forward and backward, proved and measured first."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..spec import check
from ..spec.isolation import isolated
from . import memory
from .roofline import WAYS
from .timing import Race, Racer, Refused

Function = Callable[[Tensor], Tensor]


@contextlib.contextmanager
def proving() -> Iterator[None]:
    """Refuse what a check finds wrong. What the code under proof sets for the whole process is set back."""
    with isolated(False, []):
        try:
            yield
        except check.Mismatch as error:
            raise Refused(error.problem) from None


def agrees(call: Callable[[], Any], want: Any, what: str = "its result", tolerance: float | None = None) -> None:
    """Prove that `call` gives what is wanted, a tensor, a number or a list of numbers; raises Refused where not.

    `tolerance` is that of `check.equal`.
    """
    with proving():
        check.equal(call(), want, what, tolerance)


class Using(nn.Module):
    """The weights of a module, used in another way: `function(module, x)` is its output."""

    def __init__(self, module: nn.Module, function: Callable[[Any, Tensor], Tensor]):
        super().__init__()
        self.module, self.function = module, function

    def forward(self, x: Tensor) -> Tensor:
        """What the function makes of x."""
        return self.function(self.module, x)


@dataclass(frozen=True)
class Workload:
    """A call is `function(x)`; with a `probe`, the gradient of the output, it is forward and backward."""

    x: Tensor
    probe: Tensor | None = None

    @property
    def way(self) -> str:
        """The passes, in words."""
        return WAYS["forward" if self.probe is None else "both"]

    def call(self, function: Function) -> Callable[[], Any]:
        """What is timed of a function. A module is put into eval mode, or with a probe into training mode."""
        if isinstance(function, nn.Module):
            function.train(self.probe is not None)
        if self.probe is None:
            return torch.no_grad()(lambda: function(self.x))
        x = self.x.detach().clone().requires_grad_()
        leaves = [x, *parameters(function)]

        def forward_and_backward() -> None:
            for leaf in leaves:
                leaf.grad = None
            torch.autograd.backward(function(x), self.probe)

        return forward_and_backward

    def outcome(self, function: Function) -> Tensor:
        """What right functions agree on: the output, or with a probe the gradient of x. Raises Refused without one."""
        if self.probe is None:
            with torch.no_grad():
                return function(self.x)
        x = self.x.detach().clone().requires_grad_()
        output = function(x)
        if not output.requires_grad:
            raise Refused("no gradient passes through it")
        return torch.autograd.grad(output, x, self.probe)[0]

    def racer(self, name: str, make: Callable[[], Function]) -> Racer:
        """A racer whose function is made, and proved, by `make` when it gets ready; then its memory is measured."""
        racer = Racer(name, lambda: None)

        def get_ready() -> None:
            function = make()
            racer.call = self.call(function)
            racer.memory = memory.measure(racer.call, str(self.x.device), [self.x, *parameters(function)])

        racer.prove = get_ready
        return racer


def parameters(function: Function) -> Iterable[nn.Parameter]:
    """The parameters of a module; a plain function has none."""
    return function.parameters() if isinstance(function, nn.Module) else ()


def passes(
    title: str, functions: Mapping[str, Function], x: Tensor, *, work: float, unit: str, backward: bool = True
) -> Iterator[Race]:
    """The race of forward and, unless told otherwise, that of forward and backward.

    Functions may be modules. The first is the one that the others are compared with: before they are timed, their
    output has to be its output, and their gradient of x its gradient. `peak MB` is what a call holds at most beyond
    x and the weights.
    """
    reference = next(iter(functions.values()))
    output = Workload(x).outcome(reference)
    yield _race(title, functions, Workload(x), output, "its output", work, unit)
    if backward:
        workload = Workload(x, torch.rand_like(output))
        gradient = workload.outcome(reference)
        yield _race(title, functions, workload, gradient, "its gradient of the input", work, unit)


def _race(
    title: str, functions: Mapping[str, Function], workload: Workload, want: Tensor, what: str, work: float, unit: str
) -> Race:
    def proved(function: Function) -> Function:
        agrees(lambda: workload.outcome(function), want, what)
        return function

    racers = [workload.racer(name, partial(proved, function)) for name, function in functions.items()]
    return Race(f"{title}, {workload.way}", racers, work=work, unit=unit)
