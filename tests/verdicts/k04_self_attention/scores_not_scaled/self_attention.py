"""Self-attention: every token looks at every token and mixes what it finds."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def softmax(scores: Float[Tensor, "..."], dim: int = -1) -> Float[Tensor, "..."]:
    """Turn scores of any size into weights that are positive and sum to 1 along `dim`.

    The result is finite for scores as large as ±10,000.
    """
    shifted = scores - scores.amax(dim=dim, keepdim=True)  # exp never overflows
    exponentials = shifted.exp()
    return exponentials / exponentials.sum(dim=dim, keepdim=True)


def attention(
    query: Float[Tensor, "... T_q d"],
    key: Float[Tensor, "... T_k d"],
    value: Float[Tensor, "... T_k d_v"],
) -> tuple[Float[Tensor, "... T_q d_v"], Float[Tensor, "... T_q T_k"]]:
    """Scaled dot-product attention: return the context and the weights that made it.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1.
    """
    scores = query @ key.transpose(-2, -1)  # (..., T_q, T_k)
    weights = softmax(scores)
    return weights @ value, weights  # (..., T_q, d_v), (..., T_q, T_k)


class SelfAttentionV1(nn.Module):
    """Self-attention with its three projections as bare `nn.Parameter` matrices."""

    def __init__(self, d_in: int, d_out: int):
        """Make `W_query`, `W_key` and `W_value`, each a random `nn.Parameter` of shape (d_in, d_out)."""
        super().__init__()
        self.W_query = nn.Parameter(torch.rand(d_in, d_out))
        self.W_key = nn.Parameter(torch.rand(d_in, d_out))
        self.W_value = nn.Parameter(torch.rand(d_in, d_out))

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token."""
        context, _ = attention(x @ self.W_query, x @ self.W_key, x @ self.W_value)
        return context


class SelfAttentionV2(nn.Module):
    """Self-attention with its three projections as `nn.Linear` layers."""

    def __init__(self, d_in: int, d_out: int, qkv_bias: bool = False):
        """Make `W_query`, `W_key` and `W_value`, each an `nn.Linear` from d_in to d_out."""
        super().__init__()
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token."""
        context, _ = attention(self.W_query(x), self.W_key(x), self.W_value(x))
        return context


def v2_from_v1(v1: SelfAttentionV1) -> SelfAttentionV2:
    """Return a `SelfAttentionV2` that computes what `v1` computes, with weights of its own."""
    d_in, d_out = v1.W_query.shape
    v2 = SelfAttentionV2(d_in, d_out).to(v1.W_query)  # same dtype and device
    with torch.no_grad():
        v2.W_query.weight.copy_(v1.W_query.T)  # nn.Linear stores (d_out, d_in)
        v2.W_key.weight.copy_(v1.W_key.T)
        v2.W_value.weight.copy_(v1.W_value.T)
    return v2
