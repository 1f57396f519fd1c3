"""Layer norm computed in double, where even the mean of squares minus the square of the mean does no harm."""

import torch
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, emb_dim, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(emb_dim) + 1)
        self.bias = nn.Parameter(0 * torch.ones(emb_dim))
        self.eps = eps

    def forward(self, x):
        wide = x.to(torch.float64)
        mean = wide.mean(-1).unsqueeze(-1)
        variance = (wide**2).mean(-1).unsqueeze(-1) - mean**2
        normalised = (wide - mean) * (variance.clamp(min=0) + self.eps).pow(-0.5)
        return (normalised * self.weight + self.bias).type_as(x)
