"""Implementations of attention beside the reference: what each has to prove, and the race of one configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..spec import check
from .roofline import WAYS
from .timing import Race, Refused
from .workloads import Workload, proving


@dataclass(frozen=True)
class Sizes:
    """What an attention is made for. `tokens` is the context length, `width` the width of the output, h·d."""

    batch: int
    heads: int
    d_in: int
    width: int
    tokens: int


# Makes a module with the weights of a reference, a `MultiHeadAttention` of k06, or raises Unavailable.
Make = Callable[[Sizes, Any], nn.Module]


@dataclass(frozen=True)
class Implementation:
    """One way to compute attention."""

    name: str
    make: Make
    square: bool = False  # it can have d_in = d_out only
    compiled: bool = False  # its first call takes long, and so does a change of sizes
    no_backward_on: tuple[str, ...] = ()

    def missing(self, device: str, passes: str) -> str:
        """Why it cannot take part on this device, or nothing."""
        kind = device.split(":")[0]
        return f"it has no backward pass on {kind.upper()}" if passes == "both" and kind in self.no_backward_on else ""


SMALL = Sizes(batch=2, heads=3, d_in=10, width=12, tokens=7)
SQUARE = Sizes(batch=2, heads=3, d_in=12, width=12, tokens=7)
BRIEF = Sizes(batch=1, heads=3, d_in=10, width=12, tokens=5)  # fewer tokens than the context length


@dataclass(frozen=True)
class Configuration:
    """What one race is about: a dtype, passes ("forward" or "both", forward and backward) and sizes."""

    dtype: str
    passes: str
    sizes: Sizes

    @property
    def title(self) -> str:
        """As it stands in results and tables."""
        return f"{self.dtype}, {WAYS[self.passes]}, T = {self.sizes.tokens}"

    @property
    def flop(self) -> int:
        """The arithmetic that causal attention needs: four projections, two products over what a token may see.

        A multiplication and an addition count as two. The hidden half of the scores does not count: what computes it
        nevertheless is not credited with it. Backward takes two products for each of forward.
        """
        sizes, tokens = self.sizes, self.sizes.tokens
        visible = tokens * (tokens + 1) // 2
        projections = 2 * tokens * (3 * sizes.d_in * sizes.width + sizes.width**2)
        return sizes.batch * (projections + 2 * 2 * visible * sizes.width) * (3 if self.passes == "both" else 1)


@dataclass(frozen=True)
class Comparison:
    """Implementations beside the reference, the class `attention`, on one device."""

    attention: Callable[..., nn.Module]
    device: str

    def reference(self, dtype: str, sizes: Sizes) -> Any:
        """The reference, with weights that no default start hides."""
        torch.manual_seed(6)
        model = self.attention(sizes.d_in, sizes.width, sizes.tokens, 0.0, sizes.heads, True)
        return model.to(self.device, getattr(torch, dtype))

    def race(
        self, implementations: Iterable[Implementation], configuration: Configuration, prove: bool = False
    ) -> Race:
        """The race of a configuration, in which each is proved, too, if asked.

        A racer's module is made when it gets ready, so that making it can fail without harm to the others, and goes
        with the race.
        """
        dtype, sizes = configuration.dtype, configuration.sizes
        workload = self._workload(dtype, sizes, backward=configuration.passes == "both")
        reference = self.reference(dtype, sizes)

        def make(implementation: Implementation) -> nn.Module:
            if prove:
                self.prove(implementation, configuration)
            return self._made(implementation, sizes, reference)

        racers = [workload.racer(each.name, partial(make, each)) for each in implementations]
        labels: dict[str, Any] = {"dtype": dtype, "pass": configuration.passes, "T": sizes.tokens}
        labels["flop"] = configuration.flop
        work = sizes.batch * sizes.tokens
        return Race(configuration.title, racers, work=work, unit="tokens", base="reference", labels=labels)

    def prove(self, implementation: Implementation, configuration: Configuration) -> None:
        """Prove an implementation for a configuration's dtype and passes; one that is compiled, for its sizes too.

        The same number of parameters as the reference; in eval mode and in training the same output as the reference;
        the same gradient of the input; and no output that changes with a later token. Raises Refused with the reason,
        and what the implementation itself raises.
        """
        sizes = configuration.sizes if implementation.compiled else SQUARE if implementation.square else SMALL
        reference = self.reference(configuration.dtype, sizes)
        module = self._made(implementation, sizes, reference)
        mine, theirs = (sum(values.numel() for values in each.parameters()) for each in (module, reference))
        if mine != theirs:
            raise Refused(f"it has {mine:,} parameters, and the reference has {theirs:,}")
        backward = configuration.passes == "both" and not implementation.missing(self.device, "both")
        with proving():
            self._prove(module, reference, self._workload(configuration.dtype, sizes, backward))
            if not implementation.square and not implementation.compiled:
                self._prove(module, reference, self._workload(configuration.dtype, BRIEF, backward))

    def _made(self, implementation: Implementation, sizes: Sizes, reference: Any) -> nn.Module:
        with proving():  # what a learner's code changes for everyone would change everyone's times
            return implementation.make(sizes, reference).to(reference.out_proj.weight)

    def _workload(self, dtype: str, sizes: Sizes, backward: bool) -> Workload:
        def normal(width: int, seed: int) -> Tensor:
            generator = torch.Generator("cpu").manual_seed(seed)  # so that all devices get the same numbers
            values = torch.randn(sizes.batch, sizes.tokens, width, generator=generator, device="cpu")
            return values.to(self.device, getattr(torch, dtype))

        return Workload(normal(sizes.d_in, 1), normal(sizes.width, 2) if backward else None)

    def _prove(self, module: nn.Module, reference: nn.Module, workload: Workload) -> None:
        forward = Workload(workload.x)
        want, got = forward.outcome(reference.eval()), forward.outcome(module.eval())
        check.tensor(got, want.shape, want.dtype, "the output")
        with torch.no_grad():
            _prove_causal(module, workload.x, got)  # before equality: it says more
        check.equal(got, want, "the output in eval mode")
        if workload.probe is None:
            return
        gradient = workload.outcome(module.train())
        check.equal(module(workload.x), reference.train()(workload.x), "the output in training")
        check.equal(gradient, workload.outcome(reference), "the gradient of the input")


def _prove_causal(module: nn.Module, x: Tensor, before: Tensor) -> None:
    """Change all tokens from the middle on, by much: earlier outputs stay, and later ones do not."""
    middle = x.shape[1] // 2
    changed = x.clone()
    changed[:, middle:] = 30 * changed[:, middle:].flip(-1) + 1
    after = module(changed)
    if not check.same(after[:, :middle], before[:, :middle]):
        raise Refused("a change of later tokens changes earlier outputs: it sees the future")
    if check.same(after[:, middle:], before[:, middle:]):
        raise Refused("its output does not depend on its input")
