"""Causal attention: a token sees itself and what came before it, never what comes after."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..k04_self_attention.self_attention import softmax


def causal_mask(tokens: int) -> Bool[Tensor, "T T"]:
    """Return the mask of a sequence of `tokens` tokens: True where query (row) may not see key (column)."""
    return torch.triu(torch.ones(tokens, tokens, dtype=torch.bool), diagonal=1)


def masked_softmax(scores: Float[Tensor, "... T T"], mask: Bool[Tensor, "T T"]) -> Float[Tensor, "... T T"]:
    """Softmax over the last dimension in which a hidden entry (mask True) gets weight exactly 0."""
    return softmax(scores.masked_fill(mask