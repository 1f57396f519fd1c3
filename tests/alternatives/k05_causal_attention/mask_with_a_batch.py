"""The buffer has a leading dimension of 1, as masks for a batch have."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def causal_mask(tokens):
    return torch.triu(torch.ones(tokens, tokens), 1).bool()


def masked_softmax(scores, mask):
    return torch.softmax(scores.masked_fill(mask, float("-inf")), dim=-1)


def dropout(x, rate, training, generator=None):
    if not training or rate == 0:
        return x
    return x * (torch.rand(x.shape, generator=generator) > rate) / (1 - rate)


class CausalAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout=0.0, qkv_bias=False):
        super().__init__()
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", causal_mask(context_length)[None])

    def forward(self, x):
        T = x.shape[1]
        q, k, v = self.W_query(x), self.W_key(x), self.W_value(x)
        return self.dropout(masked_softmax(q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1]), self.mask[0, :T, :T])) @ v
