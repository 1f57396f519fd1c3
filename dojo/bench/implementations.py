"""Who takes part in the race of attentions, and what each has to prove before it is timed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..spec import check
from ..spec.isolation import isolated
from .attention import (
    Einsum,
    FusedCausal,
    FusedMasked,
    Implementation,
    Sizes,
    library,
    one_product,
    plain,
    single_heads,
)
from .compiled import Compiled, Flex, compiled
from .timing import Refused

SMALL = Sizes(batch=2, heads=3, d_in=10, width=12, tokens=7)
SQUARE = Sizes(batch=2, heads=3, d_in=12, width=12, tokens=7)
BRIEF = Sizes(batch=1, heads=3, d_in=10, width=12, tokens=5)  # fewer tokens than the context length


def entrants(
    attention: type[nn.Module], wrapper: type[nn.Module], learners: type[nn.Module] | None = None
) -> list[Implementation]:
    """All of them, the reference's first, given k06's two classes and, where it passes, the learner's attention."""
    yours = [Implementation("yours", "hand-written", plain(learners))] if learners else []
    return [
        Implementation("reference", "hand-written", plain(attention)),
        *yours,
        Implementation("single heads", "hand-written", single_heads(wrapper)),
        Implementation("one QKV product", "hand-written", one_product),
        Implementation("einsum", "hand-written", Einsum.like),
        Implementation("sdpa, is_causal", "fused", FusedCausal.like),
        Implementation("sdpa, mask", "fused", FusedMasked.like),
        Implementation("nn.MHA", "library", library(weights=False), square=True),
        Implementation("nn.MHA, weights", "library", library(weights=True), square=True),
        Implementation("FlexAttention", "fused", compiled(Flex.like), compiled=True, no_backward_on=("cpu", "mps")),
        Implementation(
            "torch.compile",
            "compiled",
            compiled(lambda sizes, reference: Compiled(plain(attention)(sizes, reference))),
            compiled=True,
        ),
    ]


class Proof:
    """What an implementation has to show, beside the reference, on one device and in one dtype."""

    def __init__(self, attention: type[nn.Module], device: str, dtype: torch.dtype, backward: bool = True):
        self.attention, self.device, self.dtype, self.backward = attention, device, dtype, backward

    def reference(self, sizes: Sizes) -> nn.Module:
        """The reference, with weights that no default start hides."""
        torch.manual_seed(6)
        model = self.attention(sizes.d_in, sizes.width, sizes.tokens, 0.0, sizes.heads, True)
        return model.to(self.device, self.dtype)

    def prepared(self, one: Implementation, sizes: Sizes, reference: nn.Module) -> nn.Module:
        """An implementation with the weights of the reference, where that is and in its dtype."""
        with isolated(False, []):  # what a learner's code changes for everyone would change everyone's times
            return one.make(sizes, reference).to(self.device, self.dtype)

    def demand(self, one: Implementation, sizes: Sizes | None = None) -> None:
        """Prove an implementation. Raises Refused with the reason, and what the implementation itself raises.

        The same number of parameters as the reference; in eval mode and in training the same output as the reference;
        the same gradient of the input; and no output that changes with a later token.
        """
        sizes = sizes or (SQUARE if one.square else SMALL)
        reference = self.reference(sizes)
        module = self.prepared(one, sizes, reference)
        backward = self.backward and not unavailable(one, self.device, backward=True)
        mine, theirs = count(module), count(reference)
        if mine != theirs:
            raise Refused(f"it has {mine:,} parameters, and the reference has {theirs:,}")
        with isolated(False, []):
            try:
                self._demand(module, reference, sizes, backward)
                if not one.square and not one.compiled:
                    self._demand(module, reference, BRIEF, backward)
            except check.Mismatch as error:
                raise Refused(error.problem) from None

    def _demand(self, module: nn.Module, reference: nn.Module, sizes: Sizes, backward: bool) -> None:
        x, probe = self._normal(sizes.d_in, sizes, 1), self._normal(sizes.width, sizes, 2)
        with torch.no_grad():
            want = reference.eval()(x)
            got = module.eval()(x)
            check.tensor(got, want.shape, want.dtype, "the output")
            _demand_causal(module, x, got)  # before equality: it says more
            check.equal(got, want, "the output in eval mode")
        if not backward:
            return
        got, got_gradient = _gradient(module.train(), x, probe)
        want, want_gradient = _gradient(reference.train(), x, probe)
        check.equal(got, want, "the output in training")
        check.equal(got_gradient, want_gradient, "the gradient of the input")

    def _normal(self, width: int, sizes: Sizes, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        values = torch.randn(sizes.batch, sizes.tokens, width, generator=generator)
        return values.to(self.device, self.dtype)


def count(module: nn.Module) -> int:
    """How many parameters a module has, shared ones once."""
    return sum(values.numel() for values in module.parameters())


def _demand_causal(module: Callable[[Tensor], Tensor], x: Tensor, before: Tensor) -> None:
    """Change all tokens from the middle on, by much: earlier outputs stay, and later ones do not."""
    middle = x.shape[1] // 2
    changed = x.clone()
    changed[:, middle:] = 30 * changed[:, middle:].flip(-1) + 1
    after = module(changed)
    if not check.same(after[:, :middle], before[:, :middle]):
        raise Refused("a change of later tokens changes earlier outputs: it sees the future")
    if check.same(after[:, middle:], before[:, middle:]):
        raise Refused("its output does not depend on its input")


def _gradient(module: nn.Module, x: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    output = module(x)
    check.tensor(output, probe.shape, probe.dtype, "the output in training")
    if not output.requires_grad:
        raise Refused("no gradient passes through it")
    (gradient,) = torch.autograd.grad((output * probe).sum(), x)
    return output.detach(), gradient


def unavailable(one: Implementation, device: str, backward: bool) -> str:
    """Why an implementation cannot take part in a race on this device, or nothing."""
    kind = device.split(":")[0]
    return f"it has no backward pass on {kind.upper()}" if backward and kind in one.no_backward_on else ""
