"""The races of attention: what one is about, and racers that are ready to be timed in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from . import memory
from .attention import Implementation, Sizes
from .implementations import Proof
from .roofline import WAYS
from .timing import Racer


@dataclass(frozen=True)
class Cell:
    """One race: a dtype, a pass ("forward" or "both", forward and backward) and a number of tokens."""

    dtype: str
    passes: str
    tokens: int

    @property
    def labels(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "pass": self.passes, "T": self.tokens}

    @property
    def words(self) -> str:
        return f"{self.dtype}, {WAYS[self.passes]}, T = {self.tokens}"


def flop(sizes: Sizes, passes: str) -> int:
    """The arithmetic that causal attention needs: four projections, and two products over what a token may see.

    A multiplication and an addition count as two. The hidden half of the scores does not count: what computes it
    nevertheless is not credited with it. Backward takes two products for each of forward.
    """
    visible = sizes.tokens * (sizes.tokens + 1) // 2
    projections = 2 * sizes.tokens * (3 * sizes.d_in * sizes.width + sizes.width**2)
    return sizes.batch * (projections + 2 * 2 * visible * sizes.width) * (3 if passes == "both" else 1)


class Stable:
    """Makes the racers of one cell. What they hold is made when they are warmed up and goes with the race."""

    def __init__(self, attention: type[nn.Module], device: str, cell: Cell, sizes: Sizes):
        self.device, self.cell, self.sizes = device, cell, sizes
        self.dtype = getattr(torch, cell.dtype)
        self.proof = Proof(attention, device, self.dtype)
        generator = torch.Generator().manual_seed(1)
        shape = (sizes.batch, sizes.tokens)
        self.x, self.probe = (
            torch.randn(*shape, width, generator=generator).to(device, self.dtype)
            for width in (sizes.d_in, sizes.width)
        )
        self.reference = self.proof.reference(sizes)
        self.memory: dict[str, dict[str, int]] = {}

    def racer(self, one: Implementation) -> Racer:
        """A racer whose module is made when it gets ready, so that making it can fail without harm to the others."""
        call: Callable[[], Any] | None = None

        def get_ready() -> None:
            nonlocal call
            module = self.proof.prepared(one, self.sizes, self.reference)
            call = self._call(module)
            found = memory.measure(call, self.device, [self.x, *module.parameters()])
            if found is not None:
                self.memory[one.name] = {"peak_bytes": found.peak, "moved_bytes": found.moved}

        return Racer(one.name, lambda: call(), prove=get_ready)

    def _call(self, module: nn.Module) -> Callable[[], Any]:
        if self.cell.passes == "forward":
            module.eval()
            return lambda: _forward(module, self.x)
        module.train()
        x = self.x.clone().requires_grad_()
        leaves = [x, *module.parameters()]
        return lambda: _both(module, x, self.probe, leaves)


@torch.no_grad()
def _forward(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return module(x)


def _both(module: nn.Module, x: torch.Tensor, probe: torch.Tensor, leaves: list[torch.Tensor]) -> None:
    for leaf in leaves:
        leaf.grad = None
    module(x).backward(probe)
