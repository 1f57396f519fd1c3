"""No masked matrix at all: each token attends to a slice of the keys, and the mask stays a mere buffer."""

import math

import torch
from torch import nn


def causal_mask(tokens):
    hidden = torch.zeros(tokens, tokens, dtype=torch.bool)
    for query in range(tokens):
        hidden[query, query + 1 :] = True
    return hidden


def masked_softmax(scores, mask):
    rows = []
    for i in range(scores.shape[-2]):
        weights = torch.zeros_like(scores[..., i, :])
        seen = (~mask[i]).nonzero().flatten()
        weights[..., seen] = torch.softmax(scores[..., i, seen], dim=-1)
        rows.append(weights)
    return torch.stack(rows, dim=-2)


def dropout(x, rate, training, generator=None):
    if not training:
        return x.clone()
    result = x.clone() / (1 - rate)
    result[torch.rand(x.shape, generator=generator) < rate] = 0
    return result


class Dropout(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        return dropout(x, self.rate, self.training)


class CausalAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout=0.0, qkv_bias=False):
        super().__init__()
        self.W_query, self.W_key, self.W_value = (nn.Linear(d_in, d_out, bias=qkv_bias) for _ in range(3))
        self.dropout = Dropout(dropout)
        self.register_buffer("mask", causal_mask(context_length))

    def forward(self, x):
        query, key, value = self.W_query(x), self.W_key(x), self.W_value(x)
        contexts = []
        for t in range(x.shape[1]):
            scores = (query[:, t : t + 1] * key[:, : t + 1]).sum(-1) / math.sqrt(query.shape[-1])  # (B, t + 1)
            weights = self.dropout(torch.softmax(scores, dim=-1))
            contexts.append((weights.unsqueeze(-1) * value[:, : t + 1]).sum(1))
        return torch.stack(contexts, dim=1)
