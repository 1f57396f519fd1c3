"""Feed-forward one token and one hidden unit at a time; gelu row by row."""

import math

import torch
from torch import nn


def gelu(x):
    rows = [
        0.5 * v + 0.5 * v * torch.tanh(math.sqrt(2 / math.pi) * v + math.sqrt(2 / math.pi) * 0.044715 * v * v * v)
        for v in x
    ]
    return torch.stack(rows)


class GELU(nn.Module):
    def forward(self, x):
        return gelu(x)


class FeedForward(nn.Module):
    def __init__(self, emb_dim, expansion=4):
        super().__init__()
        self.up = nn.Linear(emb_dim, int(emb_dim * expansion))
        self.down = nn.Linear(int(emb_dim * expansion), emb_dim)
        self.gelu = GELU()

    def forward(self, x):
        out = torch.zeros_like(x) + self.down.bias
        for unit, weights in enumerate(self.up.weight):
            activation = self.gelu(x @ weights + self.up.bias[unit])
            out = out + activation.unsqueeze(-1) * self.down.weight[:, unit]
        return out
