"""Softmax and scale in float32 and cast back, a named tuple as the result, one forward for both modules."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Attended(NamedTuple):
    context: Tensor
    weights: Tensor


def softmax(scores, dim=-1):
    in_front = scores.float().transpose(0, dim)
    powers = torch.exp(in_front - in_front.max(dim=0, keepdim=True)[0].detach())
    return (powers / torch.sum(powers, 0)).transpose(0, dim).to(scores.dtype)


def attention(query, key, value):
    width = torch.tensor(key.shape[-1], dtype=torch.float32)
    similarity = torch.matmul(query, key.mT).true_divide(torch.sqrt(width))
    weights = softmax(similarity)
    return Attended(torch.matmul(weights, value), weights)


class _SelfAttention(nn.Module):
    def project(self, x, name):
        raise AttributeError(name)

    def forward(self, x):
        return attention(*(self.project(x, f"W_{name}") for name in ("query", "key", "value"))).context


class SelfAttentionV1(_SelfAttention):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.W_query, self.W_key, self.W_value = (
            nn.Parameter(torch.empty(d_in, d_out).uniform_(-0.1, 0.1)) for _ in range(3)
        )

    def project(self, x, name):
        return torch.matmul(x, getattr(self, name))


class SelfAttentionV2(_SelfAttention):
    def __init__(self, d_in, d_out, qkv_bias=False):
        super().__init__()
        self.W_query, self.W_key, self.W_value = (nn.Linear(d_in, d_out, bias=bool(qkv_bias)) for _ in range(3))

    def project(self, x, name):
        return getattr(self, name)(x)


def v2_from_v1(v1):
    v2 = SelfAttentionV2(v1.W_query.size(0), v1.W_query.size(1), qkv_bias=False)
    pairs = ((v2.W_query, v1.W_query), (v2.W_key, v1.W_key), (v2.W_value, v1.W_value))
    for layer, matrix in pairs:
        layer.weight.data = matrix.data.transpose(0, 1).contiguous().clone()
    return v2
