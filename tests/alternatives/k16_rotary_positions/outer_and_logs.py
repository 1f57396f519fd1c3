"""Speeds by logarithms and in double; channels unflattened into pairs; an additive mask made on the device of x."""

import math

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
    if head_dim % 2:
        raise ValueError(f"an odd width of {head_dim} has no pairs")
    dtype = torch.get_default_dtype()
    pairs = torch.arange(head_dim // 2, device=positions.device, dtype=torch.float64)
    speeds = torch.exp(-math.log(base) * 2 * pairs / head_dim)
    return torch.outer(positions.double(), speeds).to(dtype)
    # </solution>


def apply_rotary(
    x: Float[Tensor, "... T d"], cos: Float[Tensor, "T d/2"], sin: Float[Tensor, "T d/2"]
) -> Float[Tensor, "... T d"]:
    """Turn each pair of channels of each token by its angle, given as cosine and sine. The result has the dtype of x.

    The pairing is by halves: channel i goes with channel i + d/2. With a = x[…, i] and b = x[…, i + d/2], channel i
    becomes a·cos − b·sin, and channel i + d/2 becomes a·sin + b·cos.
    """
    pairs = x.unflatten(-1, (2, -1))  # (..., T, 2, d/2)
    a, b = pairs.unbind(-2)
    return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-2).flatten(-2).type_as(x)
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
        B, T, _ = x.shape
        h = self.num_heads
        q, k, v = (layer(x).view(B, T, h, -1).permute(0, 2, 1, 3) for layer in (self.W_query, self.W_key, self.W_value))
        table = rotary_angles(torch.arange(T).to(x.device), q.size(-1), self.base)
        cos, sin = torch.cos(table), torch.sin(table)
        q, k = apply_rotary(q, cos, sin), apply_rotary(k, cos, sin)
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) * q.size(-1) ** -0.5
        future = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(diagonal=1)
        weights = torch.softmax(
            scores + torch.zeros(T, T, dtype=scores.dtype, device=x.device).masked_fill(future, float("-inf")), dim=-1
        )
        context = torch.einsum("bhqk,bhkd->bqhd", weights, v).reshape(B, T, -1)
        return self.out_proj(context)
        # </solution>


def alibi_slopes(num_heads: int) -> Float[Tensor, "h"]:
    """Return the slope of each head: 2^(−8 (i + 1) / num_heads) for head i, from 0. num_heads is a power of two.

    Source: Press et al. 2022, "Train Short, Test Long", section 3.
    """
    first = 2 ** (-8 / num_heads)
    return torch.tensor([first ** (i + 1) for i in range(num_heads)])
    # </solution>


def alibi_bias(num_heads: int, tokens: int) -> Float[Tensor, "h T T"]:
    """Return what is added to the scores, in each head, of query i (row) with key j (column).

    −slope · (i − j) where the key stands at or before the query, −∞ where it comes later.
    """
    i, j = torch.meshgrid(torch.arange(tokens), torch.arange(tokens), indexing="ij")
    bias = alibi_slopes(num_heads).view(-1, 1, 1) * (j - i)
    return torch.where(j > i, float("-inf"), bias)
    # </solution>
