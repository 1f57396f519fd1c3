"""Loops: an angle at a time, a pair at a time, a head at a time."""

import math

import torch
from torch import nn


def rotary_angles(positions, head_dim, base=10000.0):
    if head_dim % 2 == 1:
        raise ValueError(f"an even width is needed, not {head_dim}")
    columns, speed = [], 1.0
    for _ in range(head_dim // 2):
        columns.append(positions * torch.tensor(speed))
        speed /= base ** (2 / head_dim)
    return torch.stack(columns, dim=1)


def apply_rotary(x, cos, sin):
    result, half = torch.zeros_like(x), x.shape[-1] // 2
    for i in range(half):
        result[..., i] = x[..., i] * cos[:, i] - x[..., i + half] * sin[:, i]
        result[..., i + half] = x[..., i] * sin[:, i] + x[..., i + half] * cos[:, i]
    return result


class RotaryAttention(nn.Module):
    def __init__(self, d_in, d_out, num_heads, base=10000.0, qkv_bias=False):
        super().__init__()
        self.W_query, self.W_key, self.W_value = (nn.Linear(d_in, d_out, bias=qkv_bias) for _ in range(3))
        self.out_proj = nn.Linear(d_out, d_out)
        self.num_heads, self.base = num_heads, base

    def forward(self, x):
        tokens, contexts = x.shape[1], []
        heads = zip(*(layer(x).chunk(self.num_heads, dim=-1) for layer in (self.W_query, self.W_key, self.W_value)))
        for query, key, value in heads:
            width = query.shape[-1]
            angles = rotary_angles(torch.arange(tokens).to(x.device), width, self.base)
            query = apply_rotary(query, angles.cos(), angles.sin()) / math.sqrt(width)
            scores = torch.bmm(query, apply_rotary(key, angles.cos(), angles.sin()).mT)
            hidden = ~torch.ones_like(scores, dtype=torch.bool).tril()
            contexts.append(torch.bmm(scores.masked_fill(hidden, -1e9).softmax(dim=2), value))
        return self.out_proj(torch.cat(contexts, dim=2))


def alibi_slopes(num_heads):
    slopes = torch.empty(num_heads)
    for i in range(num_heads):
        slopes[i] = 0.5 ** (8 / num_heads * (i + 1))
    return slopes


def alibi_bias(num_heads, tokens):
    bias = torch.full((num_heads, tokens, tokens), -torch.inf)
    for head, slope in enumerate(alibi_slopes(num_heads).tolist()):
        for query in range(tokens):
            for key in range(query + 1):
                bias[head, query, key] = slope * (key - query)
    return bias
