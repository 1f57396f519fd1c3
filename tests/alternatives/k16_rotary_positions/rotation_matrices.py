"""One d × d matrix a position, in double precision, and a product with it."""

import torch
from torch import nn

from ..k05_causal_attention.causal_attention import masked_softmax
from ..k06_multi_head_attention import multi_head_attention as k06


def rotary_angles(positions, head_dim, base=10000.0):
    if head_dim // 2 * 2 != head_dim:
        raise ValueError(f"head_dim {head_dim}")
    exponent = torch.arange(head_dim // 2, dtype=torch.float64, device=positions.device) * (-2 / head_dim)
    return (positions.double().unsqueeze(-1) * torch.pow(base, exponent)).to(torch.get_default_dtype())


def apply_rotary(x, cos, sin):
    top = torch.cat([torch.diag_embed(cos), torch.diag_embed(-sin)], dim=-1)  # (T, d/2, d)
    bottom = torch.cat([torch.diag_embed(sin), torch.diag_embed(cos)], dim=-1)
    matrices = torch.cat([top, bottom], dim=-2).double()  # (T, d, d)
    return (matrices @ x.double().unsqueeze(-1)).squeeze(-1).to(x.dtype)


class RotaryAttention(nn.Module):
    def __init__(self, d_in, d_out, num_heads, base=10000.0, qkv_bias=False):
        super().__init__()
        self.W_query = nn.Linear(d_in, d_out, qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, qkv_bias)
        self.out_proj = nn.Linear(d_out, d_out)
        self.num_heads = num_heads
        self.turn = Turn(d_out // num_heads, base)

    def forward(self, x):
        query, key, value = (
            k06.split_heads(layer(x), self.num_heads) for layer in (self.W_query, self.W_key, self.W_value)
        )
        scores = self.turn(query) @ self.turn(key).transpose(-1, -2) / (query.size(-1) ** 0.5)
        later = torch.arange(x.size(1), device=x.device)
        weights = masked_softmax(scores, later[None, :] > later[:, None])
        return self.out_proj(k06.merge_heads(weights @ value))


class Turn(nn.Module):
    """A rotation that keeps its tables from call to call and makes longer ones when they are needed."""

    def __init__(self, width, base):
        super().__init__()
        self.width, self.base, self.tables = width, base, None

    def forward(self, x):
        tokens = x.shape[-2]
        if self.tables is None or self.tables[0].shape[0] < tokens or self.tables[0].device != x.device:
            angles = rotary_angles(torch.arange(2 * tokens, device=x.device), self.width, self.base)
            self.tables = angles.cos(), angles.sin()
        return apply_rotary(x, *(table[:tokens] for table in self.tables))


def alibi_slopes(num_heads):
    step = torch.tensor(2.0).pow(-8.0 / num_heads)
    return step.expand(num_heads).cumprod(0)


def alibi_bias(num_heads, tokens):
    steps = torch.zeros(tokens, tokens)
    for gap in range(1, tokens):
        steps -= torch.ones(tokens, tokens).tril(-gap)
    bias = alibi_slopes(num_heads).reshape(-1, 1, 1) * steps
    bias[:, torch.ones(tokens, tokens).triu(1).bool()] = float("-inf")
    return bias
