"""Heads are cut with chunk and stack; the fused module is a child of the causal attention of the kata before."""

import torch
from torch import nn

from ..k05_causal_attention.causal_attention import CausalAttention, masked_softmax


class MultiHeadAttentionWrapper(nn.Module):
    def __init__(self, d_in, head_dim, context_length, dropout, num_heads, qkv_bias=False):
        super().__init__()
        self.heads = nn.ModuleList()
        for _ in range(num_heads):
            self.heads.append(CausalAttention(d_in, head_dim, context_length, dropout=dropout, qkv_bias=qkv_bias))

    def forward(self, x):
        context = self.heads[0](x)
        for head in self.heads[1:]:
            context = torch.cat((context, head(x)), dim=2)
        return context


def split_heads(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


def merge_heads(x):
    return torch.cat(x.unbind(dim=1), dim=-1)


class MultiHeadAttention(CausalAttention):
    def __init__(self, d_in, d_out, context_length, dropout, num_heads, qkv_bias=False):
        width, rest = divmod(d_out, num_heads)
        if rest:
            raise ValueError(f"{num_heads} heads do not share {d_out} channels: {rest} are left over")
        super().__init__(d_in, d_out, context_length, dropout, qkv_bias)
        self.h, self.d = num_heads, width
        self.out_proj = nn.Linear(d_out, d_out, bias=True)

    def forward(self, x):
        T = x.shape[-2]
        query, key, value = (split_heads(project(x), self.h) for project in (self.W_query, self.W_key, self.W_value))
        weights = self.dropout(masked_softmax(query @ key.mT / self.d**0.5, self.mask[:T, :T]))
        return self.out_proj(merge_heads(weights @ value))
