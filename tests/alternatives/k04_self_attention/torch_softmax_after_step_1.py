"""Torch's softmax once step 1 is done; the transposed product; a copy with biases that are zero."""

import torch
import torch.nn.functional as F
from torch import nn


def softmax(scores, dim=-1):
    largest = torch.max(scores, dim, keepdim=True).values
    shares = (scores - largest).exp_()
    return shares.div(shares.sum(dim).unsqueeze(dim))


def attention(query, key, value):
    columns = key @ query.transpose(-1, -2) / torch.sqrt(torch.tensor(query.shape[-1]))  # (..., T_k, T_q)
    weights = F.softmax(columns, dim=-2).transpose(-1, -2)
    return weights @ value, weights


class SelfAttentionV1(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.W_value = nn.Parameter(torch.rand((d_in, d_out)) / d_in)
        self.W_key = nn.Parameter(torch.rand((d_in, d_out)) / d_in)
        self.W_query = nn.Parameter(torch.rand((d_in, d_out)) / d_in)

    def forward(self, x):
        joint = torch.cat([self.W_query, self.W_key, self.W_value], dim=1)
        query, key, value = (x @ joint).chunk(3, dim=-1)
        return attention(query, key, value)[0]


class SelfAttentionV2(nn.Module):
    def __init__(self, d_in, d_out, qkv_bias=False):
        super().__init__()
        layers = [nn.Linear(d_in, d_out) if qkv_bias else nn.Linear(d_in, d_out, bias=False) for _ in range(3)]
        self.W_query, self.W_key, self.W_value = layers

    def forward(self, x):
        query = F.linear(x, self.W_query.weight, self.W_query.bias)
        key = F.linear(x, self.W_key.weight, self.W_key.bias)
        value = F.linear(x, self.W_value.weight, self.W_value.bias)
        context, _weights = attention(query, key, value)
        return context


@torch.no_grad()
def v2_from_v1(v1):
    v2 = SelfAttentionV2(*v1.W_query.shape, qkv_bias=True).to(v1.W_query.dtype)
    for name, matrix in v1.named_parameters():
        layer = getattr(v2, name)
        layer.weight.zero_().add_(matrix.t())
        layer.bias.zero_()
    return v2
