"""The tanh form with x taken out of the bracket."""

import math

import torch
from torch import nn


def gelu(x):
    c = math.sqrt(2.0 / math.pi)
    return x * (0.5 + 0.5 * torch.tanh(c * x * (1 + 0.044715 * x * x)))


class GELU(nn.Module):
    def forward(self, x):
        return gelu(x)


class FeedForward(nn.Module):
    def __init__(self, emb_dim, expansion=4):
        super().__init__()
        self.up = nn.Linear(emb_dim, expansion * emb_dim)
        self.down = nn.Linear(expansion * emb_dim, emb_dim)
        self.act = GELU()

    def forward(self, x):
        return self.down(self.act(self.up(x)))
