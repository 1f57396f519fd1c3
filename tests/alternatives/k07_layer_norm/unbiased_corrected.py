"""Layer norm from the standard deviation that divides by n - 1, taken back to n; changes a copy in place."""

import torch
from torch import nn


class LayerNorm(nn.Module):
    def __init__(self, emb_dim, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(emb_dim))
        self.bias = nn.Parameter(torch.zeros(emb_dim))
        self.eps = eps

    def forward(self, x):
        n = x.size(-1)
        variance = x.var(-1, keepdim=True) * (n - 1) / n
        x = x.clone()
        x -= x.mean(-1, keepdim=True)
        x /= torch.sqrt(variance + torch.tensor(self.eps))
        x = x * self.weight
        x += self.bias
        return x
