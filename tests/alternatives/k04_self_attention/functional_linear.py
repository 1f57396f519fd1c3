"""Projections by F.linear from the bare numbers; the new layers get new parameters."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def softmax(scores, dim=-1):
    e = (scores - scores.max(dim=dim, keepdim=True).values).exp()
    return e / e.sum(dim, keepdim=True)


def attention(query, key, value):
    w = softmax(query @ key.mT / math.sqrt(key.size(-1)))
    return w @ value, w


class SelfAttentionV1(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.W_query = nn.Parameter(torch.rand(d_in, d_out))
        self.W_key = nn.Parameter(torch.rand(d_in, d_out))
        self.W_value = nn.Parameter(torch.rand(d_in, d_out))

    def forward(self, x):
        return attention(*(F.linear(x, w.T) for w in (self.W_query, self.W_key, self.W_value)))[0]


class SelfAttentionV2(nn.Module):
    def __init__(self, d_in, d_out, qkv_bias=False):
        super().__init__()
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)

    def forward(self, x):
        return attention(*(F.linear(x, w.weight, w.bias) for w in (self.W_query, self.W_key, self.W_value)))[0]


def v2_from_v1(v1):
    v2 = SelfAttentionV2(*v1.W_query.shape)
    for n in ("W_query", "W_key", "W_value"):
        getattr(v2, n).weight = nn.Parameter(getattr(v1, n).detach().T.clone())
    return v2
