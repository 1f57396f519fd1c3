"""Feed-forward: after attention has brought the news, each token thinks it over by itself."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def gelu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The Gaussian error linear unit, in the tanh form that GPT-2 was trained with.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units (GELUs)", section 2.
    """
    return x * 0.5 * (1.0 + torch.erf(x / 2**0.5))


class GELU(nn.Module):
    """`gelu` as a layer, without parameters."""

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the activation of every entry."""
        return gelu(x)


class FeedForward(nn.Module):
    """Two linear layers with a GELU in between, applied to every token alike.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.3 (there with ReLU).
    """

    def __init__(self, emb_dim: int, expansion: int = 4):
        """Make the `nn.Linear` layers `up` and `down`; between them a token is `expansion` times as wide."""
        super().__init__()
        self.up = nn.Linear(emb_dim, expansion * emb_dim)
        self.activation = GELU()
        self.down = nn.Linear(expansion * emb_dim, emb_dim)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return what each token makes of itself."""
        hidden = self.activation(self.up(x))  # (B, T, expansion·D)
        return self.down(hidden)  # (B, T, D)
