"""The fused module loops over heads too, on slices of its weights, and makes a mask for each call."""

import torch
import torch.nn.functional as F
from torch import nn

from ..k05_causal_attention.causal_attention import CausalAttention, causal_mask, masked_softmax


class MultiHeadAttentionWrapper(nn.Module):
    def __init__(self, d_in, head_dim, context_length, dropout, num_heads, qkv_bias=False):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = head_dim
        arguments = (d_in, head_dim, context_length, dropout, qkv_bias)
        self.heads = nn.ModuleList([CausalAttention(*arguments) for _ in range(num_heads)])

    def forward(self, x):
        result = x.new_empty(x.shape[0], x.shape[1], self.num_heads * self.head_dim)
        for i, head in enumerate(self.heads):
            result[:, :, i * self.head_dim : (i + 1) * self.head_dim] = head(x)
        return result


def split_heads(x, num_heads):
    B, T, width = x.shape
    d = width // num_heads
    heads = x.new_empty(B, num_heads, T, d)
    for i in range(num_heads):
        heads[:, i] = x[:, :, i * d : (i + 1) * d]
    return heads


def merge_heads(x):
    B, h, T, d = x.shape
    whole = x.new_empty(B, T, h * d)
    for i in range(h):
        whole[:, :, i * d : (i + 1) * d] = x[:, i]
    return whole


class MultiHeadAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout, num_heads, qkv_bias=False):
        super().__init__()
        if d_out % num_heads:
            raise ValueError(f"a width of {d_out} for {num_heads} heads")
        self.blocks = [slice(i, i + d_out // num_heads) for i in range(0, d_out, d_out // num_heads)]
        for name in ("W_query", "W_key", "W_value"):
            self.add_module(name, nn.Linear(d_in, d_out, bias=qkv_bias))
        self.out_proj = nn.Linear(d_out, d_out)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", causal_mask(context_length)[None, None])

    def _part(self, layer, x, block):
        return F.linear(x, layer.weight[block], None if layer.bias is None else layer.bias[block])

    def forward(self, x):
        hidden = causal_mask(x.shape[1]).to(x.device)
        output = self.out_proj.bias
        for block in self.blocks:
            query, key, value = (self._part(layer, x, block) for layer in (self.W_query, self.W_key, self.W_value))
            weights = self.dropout(masked_softmax(query @ key.mT * query.shape[-1] ** -0.5, hidden))
            output = output + (weights @ value) @ self.out_proj.weight[:, block].T
        return output
