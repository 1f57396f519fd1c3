"""Positions inside attention: queries and keys are turned by angles (rotary), or far scores are lowered (ALiBi)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..k05_causal_attention.causal_attention import causal_mask, masked_softmax
from ..k06_multi_head_attention.multi_head_attention import merge_heads, split_heads


def rotary_angles(positions: Int[Tensor, "T"], head_dim: int, base: float = 10000.0) -> Float[Tensor, "T d/2"]:
    """Return the angle, in radians, by which each of the head_dim / 2 pairs is turned at each of the positions.

    Pair i, from 0, at position p: p · base^(−2i / head_dim). In the default dtype, on the device of the positions.
    Raises ValueError, with the number, when head_dim is odd.

    Source: Su et al. 2021, "RoFormer", section 3.2.2.
    """
    # Step 1: about 4 lines.
    raise NotImplementedError("step 1")


def apply_rotary(
    x: Float[Tensor, "... T d"], cos: Float[Tensor, "T d/2"], sin: Float[Tensor, "T d/2"]
) -> Float[Tensor, "... T d"]:
    """Turn each pair of channels of each token by its angle, given as cosine and sine.

    The result has the dtype of x, and nothing on the way is coarser than that. The pairing is by halves: channel i goes
    with channel i + d/2. With a = x[…, i] and b = x[…, i + d/2], channel i becomes a·cos − b·sin, and channel i + d/2
    becomes a·sin + b·cos.
    """
    # Step 2: about 3 lines.
    raise NotImplementedError("step 2")


class RotaryAttention(nn.Module):
    """Multi-head causal attention that knows positions by rotation, for sequences of any length."""

    def __init__(self, d_in: int, d_out: int, num_heads: int, base: float = 10000.0, qkv_bias: bool = False):
        """Make `W_query`, `W_key`, `W_value` and `out_proj` (with bias), as in k06; here are no dropout and no buffer.

        `num_heads` divides d_out into heads of an even width.
        """
        super().__init__()
        # Step 3: about 5 lines.
        raise NotImplementedError("step 3")

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token. Queries and keys are turned within each head; values are not."""
        # Step 3: about 10 lines.
        raise NotImplementedError("step 3")


def alibi_slopes(num_heads: int) -> Float[Tensor, "h"]:
    """Return the slope of each head: 2^(−8 (i + 1) / num_heads) for head i, from 0. num_heads is a power of two.

    Source: Press et al. 2022, "Train Short, Test Long", section 3.
    """
    # Step 4: about 1 line.
    raise NotImplementedError("step 4")


def alibi_bias(num_heads: int, tokens: int) -> Float[Tensor, "h T T"]:
    """Return what is added to the scores, in each head, of query i (row) with key j (column).

    −slope · (i − j) where the key stands at or before the query, −∞ where it comes later.
    """
    # Step 4: about 4 lines.
    raise NotImplementedError("step 4")


# Stub d80b0f59. `make reset` brings it back; you may delete this line.
