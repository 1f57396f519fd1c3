"""Inside, batch and heads are one dimension and the products are bmm; float32 within, and -1e9 as the fill."""

import math

import torch
from torch import nn

from ..k05_causal_attention.causal_attention import CausalAttention


class Heads(nn.ModuleList):
    """A list of heads that knows how to run them."""

    def side_by_side(self, x):
        return torch.cat(tuple(map(lambda head: head(x), self)), -1)


class MultiHeadAttentionWrapper(nn.Module):
    def __init__(self, d_in, head_dim, context_length, dropout, num_heads, qkv_bias=False):
        super().__init__()
        options = dict(context_length=context_length, dropout=dropout, qkv_bias=qkv_bias)
        self.heads = Heads(CausalAttention(d_in, head_dim, **options) for _ in range(num_heads))

    def forward(self, x):
        return self.heads.side_by_side(x)


def split_heads(x, num_heads):
    size, tokens, width = x.size()
    x = x.contiguous().view(size, tokens, num_heads, width // num_heads)
    return x.permute(0, 2, 1, 3).contiguous()


def merge_heads(x):
    size, heads, tokens, width = x.size()
    return x.permute(0, 2, 1, 3).contiguous().view(size, tokens, heads * width)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout, num_heads, qkv_bias=False):
        super().__init__()
        if math.gcd(d_out, num_heads) != num_heads:
            raise ValueError(f"d_out={d_out}, num_heads={num_heads}: no whole head width")
        self.num_heads = num_heads
        self.out_proj = nn.Linear(d_out, d_out)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", torch.tril(torch.ones(context_length, context_length)))

    def forward(self, x):
        B, T, _ = x.shape
        query, key, value = (
            split_heads(layer(x), self.num_heads).flatten(0, 1) for layer in (self.W_query, self.W_key, self.W_value)
        )  # (B·h, T, d)
        scores = torch.bmm(query, key.transpose(1, 2)).float() / math.sqrt(query.size(2))
        scores[:, self.mask[:T, :T] == 0] = -1e9
        weights = torch.softmax(scores, -1).to(x.dtype)
        context = torch.bmm(self.dropout(weights), value)
        return self.out_proj(merge_heads(context.view(B, self.num_heads, T, -1)))
