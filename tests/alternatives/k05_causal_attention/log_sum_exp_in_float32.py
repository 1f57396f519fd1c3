"""A softmax of its own in float32, through logsumexp over the visible scores; a parent class; the other product."""

import torch
import torch.nn.functional as F
from torch import nn

from ..k04_self_attention.self_attention import SelfAttentionV2


def causal_mask(tokens):
    return ~torch.ones((tokens, tokens), dtype=torch.bool).tril()


def masked_softmax(scores, mask):
    visible = scores.float().masked_fill(mask, float("-inf"))
    return (visible - torch.logsumexp(visible, dim=-1, keepdim=True)).exp().to(scores.dtype)


def dropout(x, rate, training, generator=None):
    if not training:
        return x
    noise = torch.rand(x.numel(), generator=generator).reshape(x.shape)
    return (noise > rate).to(x.dtype) * x * (1 / (1 - rate))


class CausalAttention(SelfAttentionV2):
    def __init__(self, d_in, d_out, context_length, dropout=0.0, qkv_bias=False):
        super().__init__(d_in, d_out, qkv_bias)
        self.context_length = context_length
        self.dropout = nn.Dropout(dropout)
        self.mask: torch.Tensor
        self.register_buffer("mask", causal_mask(context_length).unsqueeze(0))

    def forward(self, x):
        tokens = x.shape[-2]
        key, query = F.linear(x, self.W_key.weight, self.W_key.bias), self.W_query(x)
        scores = (key @ query.mT).mT * query.shape[-1] ** -0.5
        hidden = self.mask[0].narrow(0, 0, tokens).narrow(1, 0, tokens)
        return torch.matmul(self.dropout(masked_softmax(scores, hidden)), self.W_value(x))
