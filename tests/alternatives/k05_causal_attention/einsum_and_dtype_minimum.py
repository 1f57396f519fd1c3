"""Einsum, `tril == 0` for the mask, the smallest number of the dtype as the fill, a buffer that is not saved."""

import torch
from torch import nn

from ..k04_self_attention.self_attention import softmax


def causal_mask(tokens):
    return torch.tril(torch.ones(tokens, tokens)) == 0


def masked_softmax(scores, mask):
    lowest = torch.finfo(scores.dtype).min
    return softmax(torch.where(mask, torch.full_like(scores, lowest), scores), dim=-1)


def dropout(x, rate, training, generator=None):
    if training and rate > 0:
        keep = torch.bernoulli(torch.full(x.shape, 1.0 - rate), generator=generator)
        x = x.mul(keep).div(1.0 - rate)
    return x


class CausalAttention(nn.Module):
    def __init__(self, d_in, d_out, context_length, dropout=0.0, qkv_bias=False):
        super().__init__()
        self.d_out = d_out
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.dropout = nn.Dropout(p=dropout)
        self.register_buffer("mask", causal_mask(context_length), persistent=False)

    def forward(self, x):
        B, T, _ = x.shape
        scores = torch.einsum("bqd,bkd->bqk", self.W_query(x), self.W_key(x)) / self.d_out**0.5
        weights = self.dropout(masked_softmax(scores, self.mask[:T, :T]))
        return torch.einsum("bqk,bkd->bqd", weights, self.W_value(x))
