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
        # <solution step=1>
        self.heads = nn.ModuleList(
            CausalAttention(d_in, head_dim, context_length, dropout, qkv_bias) for _ in range(num_heads)
        )
        # </solution>

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T h*d"]:
        """Return the contexts of all heads side by side, head 0 first."""
        # <solution step=1>
        return torch.cat([head(x) for head in self.heads], dim=-1)
        # </solution>


def split_heads(x: Float[Tensor, "B T h*d"], num_heads: int) -> Float[Tensor, "B h T d"]:
    """Give each head its own d channels of every token: head i gets channels i·d to (i+1)·d."""
    # <solution step=2>
    B, T, width = x.shape
    x = x.reshape(B, T, num_heads, width // num_heads)  # (B, T, h, d)
    return x.transpose(1, 2)  # (B, h, T, d)
    # </solution>


def merge_heads(x: Float[Tensor, "B h T d"]) -> Float[Tensor, "B T h*d"]:
    """Undo `split_heads`: lay the heads of every token side by side again."""
    # <solution step=2>
    B, num_heads, T, d = x.shape
    return x.transpose(1, 2).reshape(B, T, num_heads * d)  # (B, T, h, d), then (B, T, h·d)
    # </solution>


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
        # <solution step=3>
        if d_out % num_heads != 0:
            raise ValueError(f"d_out = {d_out} cannot be split evenly into {num_heads} heads")
        self.num_heads = num_heads
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.out_proj = nn.Linear(d_out, d_out)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", causal_mask(context_length))
        # </solution>

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token; T may be anything up to the context length."""
        # <solution step=4>
        T = x.shape[1]
        query = split_heads(self.W_query(x), self.num_heads)  # (B, h, T, d)
        key = split_heads(self.W_key(x), self.num_heads)  # (B, h, T, d)
        value = split_heads(self.W_value(x), self.num_heads)  # (B, h, T, d)
        scores = query / query.shape[-1] ** 0.5 @ key.transpose(2, 3)  # (B, h, T, T); scaling the queries is cheaper
        weights = scores.masked_fill_(self.mask[:T, :T], -torch.inf).softmax(dim=-1)  # in place: no copy of the scores
        context = self.dropout(weights) @ value  # (B, h, T, d)
        return self.out_proj(merge_heads(context))  # (B, T, d_out)
        # </solution>
