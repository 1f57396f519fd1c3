"""Full-width tables and a vector with its halves exchanged; positions from somewhere else; a mask that is added."""

import torch
from torch import nn

from ..k06_multi_head_attention.multi_head_attention import MultiHeadAttention


def rotary_angles(positions, head_dim, base=10000.0):
    if head_dim % 2:
        raise ValueError(head_dim)
    pairs = torch.arange(0, head_dim, 2, dtype=torch.get_default_dtype(), device=positions.device)
    speeds = torch.exp(-pairs / head_dim * torch.log(torch.tensor(float(base))))
    return torch.einsum("t,i->ti", positions.to(speeds.dtype), speeds)


def apply_rotary(x, cos, sin):
    half = x.shape[-1] // 2
    exchanged = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return (x * torch.cat([cos, cos], -1) + exchanged * torch.cat([sin, sin], -1)).to(x.dtype)


class RotaryAttention(nn.Module):
    def __init__(self, d_in, d_out, num_heads, base=10000.0, qkv_bias=False):
        super().__init__()
        plain = MultiHeadAttention(d_in, d_out, 1, 0.0, num_heads, qkv_bias)
        self.W_query, self.W_key, self.W_value = plain.W_query, plain.W_key, plain.W_value
        self.out_proj, self.num_heads, self.base = plain.out_proj, num_heads, base

    def forward(self, x):
        B, T, _ = x.shape
        # Only distances matter, so the text may as well begin at position 3.
        angles = rotary_angles(
            torch.arange(3, T + 3, device=x.device), self.out_proj.in_features // self.num_heads, self.base
        )
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]  # (T, 1, d/2)
        query = turned(self.W_query(x).view(B, T, self.num_heads, -1), cos, sin)
        key = turned(self.W_key(x).view(B, T, self.num_heads, -1), cos, sin)
        value = self.W_value(x).view(B, T, self.num_heads, -1)
        scores = torch.einsum("bqhd,bkhd->bhqk", query, key) * query.shape[-1] ** -0.5
        hidden = torch.full((T, T), float("-inf"), device=x.device, dtype=x.dtype).triu(1)
        context = torch.einsum("bhqk,bkhd->bqhd", (scores + hidden).softmax(-1), value)
        return self.out_proj(context.reshape(B, T, -1))


def turned(x, cos, sin):
    half = x.shape[-1] // 2
    return torch.cat([x[..., :half] * cos - x[..., half:] * sin, x[..., half:] * cos + x[..., :half] * sin], dim=-1)


def alibi_slopes(num_heads):
    return torch.logspace(-8 / num_heads, -8, num_heads, base=2.0)


def alibi_bias(num_heads, tokens):
    behind = torch.arange(tokens).unsqueeze(1) - torch.arange(tokens).unsqueeze(0)
    behind = torch.where(behind >= 0, behind.to(torch.get_default_dtype()), torch.inf)
    return torch.einsum("h,qk->hqk", -alibi_slopes(num_heads), behind)
