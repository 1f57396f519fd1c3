"""Ways to compute the same multi-head causal attention, each with weights copied from the reference.

All of them have biases in every projection, as GPT-2 has, so that all have the same number of parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from ..spec import check


@dataclass(frozen=True)
class Sizes:
    """What an attention is made for. `tokens` is the context length, `width` the width of the output, h·d."""

    batch: int
    heads: int
    d_in: int
    width: int
    tokens: int


Make = Callable[[Sizes, nn.Module], nn.Module]


@dataclass(frozen=True)
class Implementation:
    """One way to do it: `make(sizes, reference)` gives a module with the reference's weights, or raises Unavailable.

    `kind` is hand-written (every score in a tensor), fused (one kernel, no matrix of scores) or library.
    """

    name: str
    kind: str
    make: Make
    square: bool = False  # it can have d_in = d_out only
    compiled: bool = False  # its first call takes long, and so does a change of sizes
    no_backward_on: tuple[str, ...] = ()


class Projected(nn.Module):
    """The projections of the reference, by its names; what a subclass does with the heads is `mix`."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.heads = sizes.heads
        self.W_query, self.W_key, self.W_value = (nn.Linear(sizes.d_in, sizes.width) for _ in range(3))
        self.out_proj = nn.Linear(sizes.width, sizes.width)
        mask = torch.ones(sizes.tokens, sizes.tokens, dtype=torch.bool).tril()
        self.register_buffer("visible", mask)

    @classmethod
    def like(cls, sizes: Sizes, reference: nn.Module) -> nn.Module:
        """One with the reference's weights."""
        module = cls(sizes)
        check.copy_parameters(reference, module)
        return module

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d_in) to (B, T, width)."""
        parts = (layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in self._layers())
        context = self.mix(*parts, self.visible[: x.shape[1], : x.shape[1]])  # (B, h, T, d)
        return self.out_proj(context.transpose(1, 2).flatten(2))

    def _layers(self) -> tuple[nn.Linear, ...]:
        return self.W_query, self.W_key, self.W_value

    def mix(self, query: Tensor, key: Tensor, value: Tensor, visible: Tensor) -> Tensor:
        """The context of each head: queries, keys and values are (B, h, T, d), `visible` is (T, T)."""
        raise NotImplementedError


class FusedCausal(Projected):
    """PyTorch's kernel, told that the mask is causal."""

    def mix(self, query, key, value, visible):
        return scaled_dot_product_attention(query, key, value, is_causal=True)


class FusedMasked(Projected):
    """PyTorch's kernel, given the mask as a matrix: it cannot skip the half that is hidden."""

    def mix(self, query, key, value, visible):
        return scaled_dot_product_attention(query, key, value, attn_mask=visible)


class Einsum(Projected):
    """Every product as an einsum, from the input on."""

    def forward(self, x):
        query, key, value = (
            torch.einsum("btc,hdc->bhtd", x, layer.weight.unflatten(0, (self.heads, -1)))
            + layer.bias.view(self.heads, 1, -1)
            for layer in self._layers()
        )
        scores = torch.einsum("bhqd,bhkd->bhqk", query * query.shape[-1] ** -0.5, key)
        hidden = ~self.visible[: x.shape[1], : x.shape[1]]
        weights = scores.masked_fill_(hidden, -torch.inf).softmax(-1)
        context = torch.einsum("bhqk,bhkd->bqhd", weights, value)
        return self.out_proj(context.flatten(2))


class OneProduct(nn.Module):
    """One matrix product makes queries, keys and values."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.heads = sizes.heads
        self.qkv = nn.Linear(sizes.d_in, 3 * sizes.width)
        self.out_proj = nn.Linear(sizes.width, sizes.width)
        self.register_buffer("hidden", torch.ones(sizes.tokens, sizes.tokens, dtype=torch.bool).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d_in) to (B, T, width)."""
        tokens = x.shape[1]
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, h, T, d)
        scores = query * query.shape[-1] ** -0.5 @ key.transpose(2, 3)
        weights = scores.masked_fill_(self.hidden[:tokens, :tokens], -torch.inf).softmax(-1)
        return self.out_proj((weights @ value).transpose(1, 2).flatten(2))


def one_product(sizes: Sizes, reference: nn.Module) -> nn.Module:
    """`OneProduct` with the reference's weights."""
    module = OneProduct(sizes)
    with torch.no_grad():
        _fill(module.qkv.weight, module.qkv.bias, reference)
    module.out_proj.load_state_dict(reference.out_proj.state_dict())
    return module


class SingleHeads(nn.Module):
    """The wrapper of k06, one head after the other, with the output projection that it lacks."""

    def __init__(self, wrapper: nn.Module, width: int):
        super().__init__()
        self.wrapper, self.out_proj = wrapper, nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d_in) to (B, T, width)."""
        return self.out_proj(self.wrapper(x))


def single_heads(wrapper: type[nn.Module]) -> Make:
    """A maker of `SingleHeads` of the wrapper class of k06."""

    def make(sizes: Sizes, reference: nn.Module) -> nn.Module:
        d = sizes.width // sizes.heads
        module = SingleHeads(wrapper(sizes.d_in, d, sizes.tokens, 0.0, sizes.heads, True), sizes.width)
        for number, head in enumerate(module.wrapper.heads):
            for name in ("W_query", "W_key", "W_value"):
                source, target = getattr(reference, name), getattr(head, name)
                rows = slice(number * d, (number + 1) * d)
                target.load_state_dict({"weight": source.weight[rows], "bias": source.bias[rows]})
        module.out_proj.load_state_dict(reference.out_proj.state_dict())
        return module

    return make


class Library(nn.Module):
    """`nn.MultiheadAttention`, which gives the mean of the heads' weights too, if asked."""

    def __init__(self, sizes: Sizes, weights: bool):
        super().__init__()
        self.attention = nn.MultiheadAttention(sizes.width, sizes.heads, batch_first=True)
        self.weights = weights
        self.register_buffer("hidden", torch.ones(sizes.tokens, sizes.tokens, dtype=torch.bool).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) to (B, T, width)."""
        hidden = self.hidden[: x.shape[1], : x.shape[1]]
        return self.attention(x, x, x, attn_mask=hidden, is_causal=True, need_weights=self.weights)[0]


def library(weights: bool) -> Make:
    """A maker of `Library`, which hands out its weights or does not."""

    def make(sizes: Sizes, reference: nn.Module) -> nn.Module:
        module = Library(sizes, weights)
        with torch.no_grad():
            _fill(module.attention.in_proj_weight, module.attention.in_proj_bias, reference)
        module.attention.out_proj.load_state_dict(reference.out_proj.state_dict())
        return module

    return make


def _fill(weight: Tensor, bias: Tensor, reference: nn.Module) -> None:
    layers = reference.W_query, reference.W_key, reference.W_value
    weight.copy_(torch.cat([layer.weight for layer in layers]))
    bias.copy_(torch.cat([layer.bias for layer in layers]))


def plain(attention: type[nn.Module]) -> Make:
    """A maker of k06's `MultiHeadAttention`, from the class of the reference or of a learner."""

    def make(sizes: Sizes, reference: nn.Module) -> nn.Module:
        module = attention(sizes.d_in, sizes.width, sizes.tokens, 0.0, sizes.heads, True)
        check.copy_parameters(reference, module)
        return module

    return make
