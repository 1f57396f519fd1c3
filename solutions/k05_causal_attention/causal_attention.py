"""Causal attention: a token sees itself and what came before it, never what comes after."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..k04_self_attention.self_attention import softmax


def causal_mask(tokens: int) -> Bool[Tensor, "T T"]:
    """Return the mask of a sequence of `tokens` tokens: True where query (row) may not see key (column)."""
    # <solution step=1>
    return torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=1)
    # </solution>


def masked_softmax(scores: Float[Tensor, "... T T"], mask: Bool[Tensor, "T T"]) -> Float[Tensor, "... T T"]:
    """Softmax over the last dimension in which a hidden entry (mask True) gets weight exactly 0."""
    # <solution step=2>
    return softmax(scores.masked_fill(mask, -torch.inf))
    # </solution>


def dropout(
    x: Float[Tensor, "..."], rate: float, training: bool, generator: torch.Generator | None = None
) -> Float[Tensor, "..."]:
    """In training, zero each entry with probability `rate` and keep the expected value; else return x as it is.

    Source: Srivastava et al. 2014, "Dropout", section 10, in its inverted form.
    """
    # <solution step=3>
    if not training or rate == 0:
        return x
    keep = torch.rand(x.shape, generator=generator, device=x.device) >= rate
    return x * keep / (1 - rate)
    # </solution>


class CausalAttention(nn.Module):
    """One head of self-attention in which no token sees a later one."""

    def __init__(self, d_in: int, d_out: int, context_length: int, dropout: float = 0.0, qkv_bias: bool = False):
        """Make the `nn.Linear` projections `W_query`, `W_key`, `W_value`, the buffer `mask` and the module `dropout`."""
        super().__init__()
        # <solution step=4>
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", causal_mask(context_length))
        # </solution>

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token; T may be anything up to the context length."""
        # <solution step=4>
        tokens = x.shape[1]
        query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)  # (B, T, d_out)
        scores = query @ key.transpose(1, 2) / key.shape[-1] ** 0.5  # (B, T, T)
        weights = masked_softmax(scores, self.mask[:tokens, :tokens])
        return self.dropout(weights) @ value  # (B, T, d_out)
        # </solution>
