"""Layer normalisation: give every token the same centre and the same spread before the next layer reads it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LayerNorm(nn.Module):
    """Normalise the features of each token by themselves, then scale and shift them by learned amounts.

    Source: Ba, Kiros and Hinton 2016, "Layer Normalization", section 3.
    """

    def __init__(self, emb_dim: int, eps: float = 1e-5):
        """Make the parameters `weight` and `bias`, both of shape (emb_dim,), which change nothing at the start."""
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(emb_dim))
        self.bias = nn.Parameter(torch.zeros(emb_dim))

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        """Return x with mean 0 and variance 1 (biased) in each token, scaled by `weight`, shifted by `bias`.

        `eps` is added to the variance, so that a token whose features are all equal stays finite.
        """
        mean = x.mean(dim=-1, keepdim=True)  # (..., 1)
        variance = (x - mean).pow(2).sum(dim=-1, keepdim=True) / (x.shape[-1] - 1)
        normalised = (x - mean) / torch.sqrt(variance + self.eps)  # (..., D)
        return self.weight * normalised
