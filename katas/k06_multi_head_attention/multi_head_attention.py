"""Multi-head attention: several small causal attentions side by side, in one matrix product."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..k05_causal_attention.causal_attention import CausalAttention, causal_mask


class MultiHeadAttentionWrapper(nn.Module):
    """Multi-head attention the obvious way: a list of heads, run one after the other."""

    def __init__(
        self,
        d_in: int,
        head_dim: int,
        context_length: int,
        dropout: float,
        num_heads: int,
        qkv_bias: bool = False,
    ):
        """Make `heads`, an `nn.ModuleList` of `num_heads` `CausalAttention`, each from d_in to head_dim."""
        super().__init__()
        # Step 1: about 3 lines.
        raise NotImplementedError("step 1")

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T h*d"]:
        """Return the contexts of all heads side by side, head 0 first."""
        # Step 1: about 1 line.
        raise NotImplementedError("step 1")


def split_heads(x: Float[Tensor, "B T h*d"], num_heads: int) -> Float[Tensor, "B h T d"]:
    """Give each head its own d channels of every token: head i gets channels i·d to (i+1)·d."""
    # Step 2: about 3 lines.
    raise NotImplementedError("step 2")


def merge_heads(x: Float[Tensor, "B h T d"]) -> Float[Tensor, "B T h*d"]:
    """Undo `split_heads`: lay the heads of every token side by side again."""
    # Step 2: about 2 lines.
    raise NotImplementedError("step 2")


class MultiHeadAttention(nn.Module):
    """Multi-head causal attention with one projection for all heads.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.2.
    """

    def __init__(
        self,
        d_in: int,
        d_out: int,
        context_length: int,
        dropout: float,
        num_heads: int,
        qkv_bias: bool = False,
    ):
        """Make `W_query`, `W_key`, `W_value`, `out_proj` (with bias), the module `dropout` and the buffer `mask`.

        Raises ValueError, with both numbers, when num_heads does not divide d_out.
        """
        super().__init__()
        # Step 3: about 9 lines.
        raise NotImplementedError("step 3")

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token; T may be anything up to the context length."""
        # Step 4: about 8 lines.
        raise NotImplementedError("step 4")


# Stub 1104c9d3. `make reset` brings it back; you may delete this line.
