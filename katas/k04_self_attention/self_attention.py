"""Self-attention: every token looks at every token and mixes what it finds."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def softmax(scores: Float[Tensor, "..."], dim: int = -1) -> Float[Tensor, "..."]:
    """Turn scores of any size into weights that are positive and sum to 1 along `dim`.

    The result is finite for scores as large as ±10,000.
    """
    # Step 1: about 3 lines.
    raise NotImplementedError("step 1")


def attention(
    query: Float[Tensor, "... T_q d"],
    key: Float[Tensor, "... T_k d"],
    value: Float[Tensor, "... T_k d_v"],
) -> tuple[Float[Tensor, "... T_q d_v"], Float[Tensor, "... T_q T_k"]]:
    """Scaled dot-product attention: return the context and the weights that made it.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1.
    """
    # Step 2: about 3 lines.
    raise NotImplementedError("step 2")


class SelfAttentionV1(nn.Module):
    """Self-attention with its three projections as bare `nn.Parameter` matrices."""

    def __init__(self, d_in: int, d_out: int):
        """Make `W_query`, `W_key` and `W_value`, each a random `nn.Parameter` of shape (d_in, d_out)."""
        super().__init__()
        # Step 3: about 3 lines.
        raise NotImplementedError("step 3")

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token."""
        # Step 3: about 2 lines.
        raise NotImplementedError("step 3")


class SelfAttentionV2(nn.Module):
    """Self-attention with its three projections as `nn.Linear` layers."""

    def __init__(self, d_in: int, d_out: int, qkv_bias: bool = False):
        """Make `W_query`, `W_key` and `W_value`, each an `nn.Linear` from d_in to d_out."""
        super().__init__()
        # Step 4: about 3 lines.
        raise NotImplementedError("step 4")

    def forward(self, x: Float[Tensor, "B T d_in"]) -> Float[Tensor, "B T d_out"]:
        """Return the context of every token."""
        # Step 4: about 2 lines.
        raise NotImplementedError("step 4")


def v2_from_v1(v1: SelfAttentionV1) -> SelfAttentionV2:
    """Return a `SelfAttentionV2` that computes what `v1` computes, with weights of its own."""
    # Step 5: about 7 lines.
    raise NotImplementedError("step 5")


# Stub 141e0bbf. `make reset` brings it back; you may delete this line.
