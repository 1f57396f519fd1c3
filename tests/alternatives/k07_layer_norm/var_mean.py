"""Layer norm with torch.var_mean, and scale and shift folded into one multiplication and one addition."""

import torch
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, emb_dim, eps=1e-5):
        super().__init__()
        self.emb_dim, self.epsilon = emb_dim, eps
        self.weight = nn.Parameter(torch.ones((emb_dim,)))
        self.bias = nn.Parameter(torch.zeros((emb_dim,)))

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=[x.ndim - 1], correction=0, keepdim=True)
        slope = self.weight / (variance + self.epsilon).sqrt()
        return torch.addcmul(self.bias - mean * slope, x, slope)
