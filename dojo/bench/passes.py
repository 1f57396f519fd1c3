"""Races of functions of one tensor, for a kata's file of races: each proves itself, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..spec import check
from ..spec.isolation import isolated
from . import memory
from .roofline import WAYS
from .timing import Race, Racer, Refused

Function = Callable[[Tensor], Tensor]


def agrees(call: Callable[[], Any], want: Any, what: str = "its result", tolerance: float | None = None) -> None:
    """Prove that `call` gives what is wanted, a tensor, a number or a list of numbers; raises Refused where not.

    `tolerance` is that of `check.equal`.
    """
    with isolated(False, []):
        got = call()
    try:
        check.equal(got, want, what, tolerance)
    except check.Mismatch as error:
        raise Refused(error.problem) from None


def passes(
    title: str, functions: Mapping[str, Function], x: Tensor, *, work: float, unit: str, backward: bool = True
) -> Iterator[Race]:
    """The race of forward and, unless told otherwise, that of forward and backward.

    Functions may be modules. The first is the one that the others are compared with: before they are timed, their
    output has to be its output, and their gradient of x its gradient. `peak MB` is what a call holds at most beyond
    x and the weights.
    """
    first = next(iter(functions.values()))
    with torch.no_grad():
        want = first(x)
    yield Race(
        f"{title}, {WAYS['forward']}", [_forward(*one, x, want) for one in functions.items()], work=work, unit=unit
    )
    if backward:
        probe = torch.rand_like(want)
        gradient = gradient_of(first, x, probe)
        racers = [_both(*one, x, probe, gradient) for one in functions.items()]
        yield Race(f"{title}, {WAYS['both']}", racers, work=work, unit=unit)


class Using(nn.Module):
    """The weights of a module, used in another way: `function(module, x)` is its output."""

    def __init__(self, module: nn.Module, function: Callable[[nn.Module, Tensor], Tensor]):
        super().__init__()
        self.module, self.function = module, function

    def forward(self, x: Tensor) -> Tensor:
        """What the function makes of x."""
        return self.function(self.module, x)


def gradient_of(function: Function, x: Tensor, probe: Tensor) -> Tensor:
    """The gradient of x, of shape x, where that of the output is `probe`. Raises Refused where none comes through."""
    x = x.detach().clone().requires_grad_()
    output = function(x)
    if not output.requires_grad:
        raise Refused("no gradient passes through it")
    return torch.autograd.grad(output, x, probe)[0]


def _forward(name: str, function: Function, x: Tensor, want: Tensor) -> Racer:
    @torch.no_grad()
    def call() -> Tensor:
        return function(x)

    return _measured(Racer(name, call), lambda: agrees(call, want, "its output"), x)


def _both(name: str, function: Function, x: Tensor, probe: Tensor, gradient: Tensor) -> Racer:
    leaf = x.detach().clone().requires_grad_()
    leaves = [leaf, *(function.parameters() if isinstance(function, nn.Module) else ())]

    def call() -> None:
        for one in leaves:
            one.grad = None
        function(leaf).backward(probe)

    def prove() -> None:
        agrees(lambda: gradient_of(function, x, probe), gradient, "its gradient of the input")

    return _measured(Racer(name, call), prove, x)


def _measured(racer: Racer, prove: Callable[[], Any], x: Tensor) -> Racer:
    def prove_and_measure() -> None:
        prove()
        found = memory.measure(racer.call, str(x.device), [x])
        if found is not None:
            racer.figures["peak MB"] = found.peak / 1e6

    racer.prove = prove_and_measure
    return racer
