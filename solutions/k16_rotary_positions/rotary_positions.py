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
    # <solution step=1>
    if head_dim % 2 != 0:
        raise ValueError(f"head_dim = {head_dim} is odd: channels are turned in pairs")
    exponents = torch.arange(0, head_dim, 2, device=positions.device) / head_dim  # (d/2,)
    return positions[:, None] * base**-exponents  # (T, d/2)
    # </solution>


def apply_rotary(
    x: Float[Tensor, "... T d"], cos: Float[Tensor, "T d/2"], sin: Float[Tensor, "T d/2"]
) -> Float[Tensor, "... T d"]:
    """Turn each pair of channels of each token by its angle, given as cosine and sine.

    The result has the dtype of x, and nothing on the way is coarser than that. The pairing is by halves: channel i goes
    with channel i + d/2. With a = x[…, i] and b = x[…, i + d/2], channel i becomes a·cos − b·sin, and channel i + d/2
    becomes a·sin + b·cos.
    """
    # <solution step=2>
    first, second = x.chunk(2, dim=-1)  # (..., T, d/2)
    turned = torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)  # (..., T, d)
    return turned.to(x.dtype)
    # </solution>


class RotaryAttention(nn.Module):
    """Multi-head causal attention that knows positions by rotation, for sequences of any length."""

    def __init__(self, d_in: int, d_out: int, num_heads: int, base: float = 10000.0, qkv_bias: bool = False):
        """Make `W_query`, `W_key`, `W_value` and `out_proj` (with bias), as in k06; here are no dropout and no buffer.

        `num_heads` divides d_out into heads of an even width.
        """
        super().__init__()
        # <solution step=3>
        self.num_heads, self.base = num_heads, base
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.out_proj = nn.Linear(d_out, d_out)
        # </solution>

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token. Queries and keys are turned within each head; values are not."""
        # <solution step=3>
        T = x.shape[1]
        query = split_heads(self.W_query(x), self.num_heads)  # (B, h, T, d)
        key = split_heads(self.W_key(x), self.num_heads)  # (B, h, T, d)
        value = split_heads(self.W_value(x), self.num_heads)  # (B, h, T, d)
        angles = rotary_angles(torch.arange(T, device=x.device), query.shape[-1], self.base)  # (T, d/2)
        query = apply_rotary(query, angles.cos(), angles.sin())
        key = apply_rotary(key, angles.cos(), angles.sin())
        scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5  # (B, h, T, T)
        weights = masked_softmax(scores, causal_mask(T).to(x.device))
        return self.out_proj(merge_heads(weights @ value))  # (B, T, d_out)
        # </solution>


def alibi_slopes(num_heads: int) -> Float[Tensor, "h"]:
    """Return the slope of each head: 2^(−8 (i + 1) / num_heads) for head i, from 0. num_heads is a power of two.

    Source: Press et al. 2022, "Train Short, Test Long", section 3.
    """
    # <solution step=4>
    return 2.0 ** (-8 * torch.arange(1, num_heads + 1) / num_heads)
    # </solution>


def alibi_bias(num_heads: int, tokens: int) -> Float[Tensor, "h T T"]:
    """Return what is added to the scores, in each head, of query i (row) with key j (column).

    −slope · (i − j) where the key stands at or before the query, −∞ where it comes later.
    """
    # <solution step=4>
    position = torch.arange(tokens)
    distance = position[:, None] - position  # (T, T): how far the key lies behind the query
    bias = -alibi_slopes(num_heads)[:, None, None] * distance  # (h, T, T)
    return bias.masked_fill(distance < 0, -torch.inf)
    # </solution>
