"""Loops throughout: softmax keeps a running maximum and sum, attention takes one query at a time."""

import math

import torch
from torch import nn


def softmax(scores, dim=-1):
    parts = scores.unbind(dim)
    largest, total = parts[0], torch.ones_like(parts[0])
    for part in parts[1:]:
        larger = torch.maximum(largest, part)
        total = total * (largest - larger).exp() + (part - larger).exp()
        largest = larger
    return torch.stack([(part - largest).exp() / total for part in parts], dim=dim)


def attention(query, key, value):
    contexts, weights = [], []
    for i in range(query.shape[-2]):
        scores = []
        for j in range(key.shape[-2]):
            scores.append((query[..., i, :] * key[..., j, :]).sum(dim=-1) / math.sqrt(query.shape[-1]))
        row = softmax(torch.stack(scores, dim=-1))
        context = 0
        for j in range(key.shape[-2]):
            context = context + row[..., j : j + 1] * value[..., j, :]
        weights.append(row)
        contexts.append(context)
    return torch.stack(contexts, dim=-2), torch.stack(weights, dim=-2)


class SelfAttentionV1(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        for name in ("W_query", "W_key", "W_value"):
            self.register_parameter(name, nn.Parameter(torch.empty(d_in, d_out)))
        self.reset_parameters()

    def reset_parameters(self):
        for matrix in self.parameters():
            nn.init.xavier_normal_(matrix)

    def forward(self, x):
        projected = [torch.stack([row @ matrix for row in x]) for matrix in (self.W_query, self.W_key, self.W_value)]
        return attention(*projected)[0]


class SelfAttentionV2(nn.Module):
    def __init__(self, d_in, d_out, qkv_bias=False):
        super().__init__()
        for name in ("W_query", "W_key", "W_value"):
            setattr(self, name, nn.Linear(d_in, d_out, qkv_bias))

    def forward(self, x):
        return torch.stack([attention(self.W_query(row), self.W_key(row), self.W_value(row))[0] for row in x])


def v2_from_v1(v1):
    d_in, d_out = v1.W_key.shape
    v2 = SelfAttentionV2(d_in, d_out).to(v1.W_key.dtype)
    v2.load_state_dict({f"{name}.weight": matrix.t() for name, matrix in v1.state_dict().items()})
    return v2
