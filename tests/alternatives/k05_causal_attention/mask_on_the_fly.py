"""The mask is made in each forward from positions, and added as -1e9; the registered buffer holds what is visible."""

import torch
from torch import nn

from ..k04_self_attention import self_attention


def causal_mask(tokens):
    position = torch.arange(tokens)
    return position[:, None] < position[None, :]


def masked_softmax(scores, mask):
    return self_attention.softmax(scores + mask.to(scores.dtype) * -1e9)


def dropout(x, rate, training, generator=None):
    if not training or rate == 0.0:
        return x
    dropped = torch.empty_like(x).bernoulli_(rate, generator=generator).bool()
    return torch.where(dropped, torch.zeros_like(x), x / (1 - rate))


class CausalAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout=0.0, qkv_bias=False):
        super().__init__()
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.dropout = nn.Sequential(nn.Dropout(dropout))
        self.register_buffer("mask", torch.tril(torch.ones(1, context_length, context_length)))

    def forward(self, x):
        query = self.W_query(x) / torch.sqrt(torch.tensor(self.W_query.out_features))
        scores = torch.bmm(query, self.W_key(x).permute(0, 2, 1))
        weights = masked_softmax(scores, causal_mask(x.size(1)).to(x.device))
        if self.training:
            weights = self.dropout(weights)
        return torch.bmm(weights, self.W_value(x))
