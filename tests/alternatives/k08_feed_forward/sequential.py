"""Feed-forward as a Sequential whose layers also go by their names; gelu by its gate, a sigmoid of twice the inside."""

import torch
from torch import nn


def gelu(x):
    return x * torch.sigmoid(2 * (2 / torch.pi) ** 0.5 * (x + 0.044715 * x.pow(3)))


class GELU(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        return gelu(x)


class FeedForward(nn.Module):
    def __init__(self, emb_dim, expansion=4):
        super().__init__()
        self.up = nn.Linear(emb_dim, expansion * emb_dim)
        self.down = nn.Linear(expansion * emb_dim, emb_dim)
        self.layers = nn.Sequential(self.up, GELU(), self.down)

    def forward(self, x):
        return self.layers(x)
