"""Einsum for every product, softmax through logsumexp, the scale on the query before any score is made."""

import torch
from torch import nn


def softmax(scores, dim=-1):
    return torch.exp(scores - torch.logsumexp(scores, dim=dim, keepdim=True))


def attention(query, key, value):
    scaled = query * key.size(-1) ** -0.5
    weights = softmax(torch.einsum("...qd,...kd->...qk", scaled, key), dim=-1)
    return torch.einsum("...qk,...kd->...qd", weights, value), weights


class SelfAttentionV1(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        query, key, value = torch.randn(3, d_in, d_out).mul(0.02).unbind()
        self.W_query = nn.Parameter(query.clone())
        self.W_key = nn.Parameter(key.clone())
        self.W_value = nn.Parameter(value.clone())

    def forward(self, x):
        query, key, value = (torch.einsum("bti,io->bto", x, w) for w in (self.W_query, self.W_key, self.W_value))
        context, weights = attention(query, key, value)
        self._last_weights = weights.detach()
        return context


class SelfAttentionV2(nn.Module):
    def __init__(self, d_in, d_out, qkv_bias=False):
        super().__init__()
        self._d_out = d_out
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)

    def forward(self, x):
        return attention(query=self.W_query(x), key=self.W_key(x), value=self.W_value(x))[0]


def v2_from_v1(v1):
    v2 = SelfAttentionV2(*v1.W_query.shape)
    for name in ("W_query", "W_key", "W_value"):
        matrix = getattr(v1, name).detach()
        getattr(v2, name).weight = nn.Parameter(torch.einsum("io->oi", matrix).clone())
    return v2
