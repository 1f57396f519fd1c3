"""Everything by hand: positions compared for the mask, exponentials weighted by what is seen, one matrix a projection."""

import math

import torch
import torch.nn as nn


def causal_mask(tokens):
    position = torch.arange(tokens)
    return position[None, :] > position[:, None]


def masked_softmax(scores, mask):
    seen = (~mask).to(scores.dtype)
    largest = torch.where(mask, torch.full_like(scores, float("-inf")), scores).max(-1, keepdim=True).values
    weights = torch.exp(torch.minimum(scores - largest, torch.zeros_like(scores))) * seen
    return weights / weights.sum(-1, keepdim=True)


def dropout(x, rate, training, generator=None):
    if not training or rate == 0.0:
        return x
    kept = torch.empty(x.shape, device=x.device).bernoulli_(1 - rate, generator=generator)
    return x * kept / (1 - rate)


class CausalAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout=0.0, qkv_bias=False):
        super().__init__()
        for name in ("W_query", "W_key", "W_value"):
            self.add_module(name, nn.Linear(d_in, d_out, qkv_bias))
        self.dropout = nn.Dropout(p=dropout)
        self.register_buffer("mask", causal_mask(context_length))

    def forward(self, x):
        q, k, v = [projection(x) for projection in (self.W_query, self.W_key, self.W_value)]
        n = x.size(-2)
        scores = torch.einsum("bqd,bkd->bqk", q, k) / math.sqrt(q.size(-1))
        weights = masked_softmax(scores, self.mask[:n, :n])
        return torch.bmm(self.dropout(weights), v)
