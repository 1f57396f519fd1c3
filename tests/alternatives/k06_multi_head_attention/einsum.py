"""Heads never move: einsum works on (B, T, h, d), with unflatten and flatten around it, and torch's own softmax."""

import torch
from torch import nn

from ..k05_causal_attention import causal_attention


class MultiHeadAttentionWrapper(nn.Module):
    def __init__(self, d_in, head_dim, context_length, dropout, num_heads, qkv_bias=False):
        super().__init__()
        heads = [
            causal_attention.CausalAttention(d_in, head_dim, context_length, dropout, qkv_bias=qkv_bias)
            for _ in range(num_heads)
        ]
        self.heads = nn.ModuleList(heads)

    def forward(self, x):
        return torch.stack([head(x) for head in self.heads], dim=2).flatten(2)


def split_heads(x, num_heads):
    return x.unflatten(-1, (num_heads, -1)).movedim(2, 1)


def merge_heads(x):
    return x.movedim(1, 2).flatten(-2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout, num_heads, qkv_bias=False):
        super().__init__()
        if d_out // num_heads * num_heads != d_out:
            raise ValueError(f"num_heads={num_heads} does not divide d_out={d_out}")
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.out_proj = nn.Linear(d_out, d_out)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", torch.ones(context_length, context_length).triu(1).bool(), persistent=False)
        self._heads = num_heads

    def forward(self, x):
        T = x.size(1)
        query, key, value = (
            layer(x).unflatten(2, (self._heads, -1)) for layer in (self.W_query, self.W_key, self.W_value)
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", query, key) / torch.sqrt(torch.tensor(query.size(-1)))
        scores = scores.masked_fill(self.mask[:T, :T], torch.finfo(scores.dtype).min)
        weights = self.dropout(scores.softmax(dim=-1))
        return self.out_proj(torch.einsum("bhqk,bkhd->bqhd", weights, value).flatten(2))
