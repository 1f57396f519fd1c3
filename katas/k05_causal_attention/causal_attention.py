"""Causal attention: a token sees itself and what came before it, never what comes after."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..k04_self_attention.self_attention import softmax


def causal_mask(tokens: int) -> Bool[Tensor, "T T"]:
    """Return the mask of a sequence of `tokens` tokens: True where query (row) may not see key (column)."""
    # Step 1: about 1 line.
    raise NotImplementedError("step 1")


def masked_softmax(scores: Float[Tensor, "... T T"], mask: Bool[Tensor, "T T"]) -> Float[Tensor, "... T T"]:
    """Softmax over the last dimension in which a hidden entry (mask True) gets weight exactly 0."""
    # Step 2: about 1 line.
    raise NotImplementedError("step 2")


def dropout(
    x: Float[Tensor, "..."], rate: float, training: bool, generator: torch.Generator | None = None
) -> Float[Tensor, "..."]:
    """In training, zero each entry with probability `rate` and keep the expected value; else return x as it is.

    Source: Srivastava et al. 2014, "Dropout", section 10, in its inverted form.
    """
    # Step 3: about 4 lines.
    raise NotImplementedError("step 3")


class CausalAttention(nn.Module):
    """One head of self-attention in which no token sees a later one."""

    def __init__(self, d_in: int, d_out: int, context_length: int, dropout: float = 0.0, qkv_bias: bool = False):
        """Make the `nn.Linear` projections `W_query`, `W_key`, `W_value`, the buffer `mask` and the module `dropout`."""
        super().__init__()
        # Step 4: about 5 lines.
        raise NotImplementedError("step 4")

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token; T may be anything up to the context length."""
        # Step 4: about 5 lines.
        raise NotImplementedError("step 4")


# Stub 0eac2512. `make reset` brings it back; you may delete this line.
