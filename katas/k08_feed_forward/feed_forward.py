"""Feed-forward: after attention has brought the news, each token thinks it over by itself."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def gelu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The Gaussian error linear unit, in the tanh form that GPT-2 was trained with.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units (GELUs)", section 2.
    """
    # Step 1: about 2 lines.
    raise NotImplementedError("step 1")


class GELU(nn.Module):
    """`gelu` as a layer, without parameters."""

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the activation of every entry."""
        # Step 2: about 1 line.
        raise NotImplementedError("step 2")


class FeedForward(nn.Module):
    """Two linear layers with a GELU in between, applied to every token alike.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.3 (there with ReLU).
    """

    def __init__(self, emb_dim: int, expansion: int = 4):
        """Make the `nn.Linear` layers `up` and `down`; between them a token is `expansion` times as wide."""
        super().__init__()
        # Step 3: about 3 lines.
        raise NotImplementedError("step 3")

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return what each token makes of itself."""
        # Step 3: about 2 lines.
        raise NotImplementedError("step 3")


# Stub 78a338f9. `make reset` brings it back; you may delete this line.
