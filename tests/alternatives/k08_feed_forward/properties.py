"""Feed-forward whose layers live in a Sequential only; `up` and `down` are properties. gelu with a float32 constant."""

import math

import torch
from torch import nn


def gelu(x):
    c = torch.sqrt(torch.tensor(2.0, dtype=torch.float32) / math.pi)
    gate = torch.tanh(c * x * (1 + 0.044715 * torch.square(x)))
    return torch.lerp(torch.zeros_like(x), x, (gate + 1) / 2)


class GELU(nn.Module):
    forward = staticmethod(gelu)


class FeedForward(nn.Module):
    def __init__(self, emb_dim, expansion=4):
        super().__init__()
        hidden_dim = emb_dim * expansion
        self.net = nn.Sequential(nn.Linear(emb_dim, hidden_dim, bias=True), GELU(), nn.Linear(hidden_dim, emb_dim))

    @property
    def up(self):
        return self.net[0]

    @property
    def down(self):
        return self.net[-1]

    def forward(self, x):
        for layer in self.net:
            x = layer(x)
        return x
