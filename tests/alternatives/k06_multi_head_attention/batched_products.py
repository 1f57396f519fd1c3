"""Heads cut by `tensor_split` and folded into the batch; scores by `baddbmm`."""

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
    return torch.stack(x.tensor_split(num_heads, dim=2), dim=1)
    # </solution>


def merge_heads(x: Float[Tensor, "B h T d"]) -> Float[Tensor, "B T h*d"]:
    """Undo `split_heads`: lay the heads of every token side by side again."""
    return torch.cat(list(x.unbind(1)), dim=2)
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
        B, T, _ = x.shape
        h = self.num_heads
        q, k, v = (split_heads(layer(x), h).reshape(B * h, T, -1) for layer in (self.W_query, self.W_key, self.W_value))
        scores = torch.baddbmm(q.new_zeros(B * h, T, T), q, k.mT, alpha=k.shape[-1] ** -0.5)
        weights = scores.masked_fill(self.mask[None, :T, :T], -torch.inf).softmax(2)
        return self.out_proj(merge_heads(torch.bmm(self.dropout(weights), v).view(B, h, T, -1)))
        # </solution>
