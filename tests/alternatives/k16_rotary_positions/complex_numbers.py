"""Complex numbers, scores with a mask of zeros and infinities added, and biases built head by head."""

import torch
from torch import nn


def rotary_angles(positions, head_dim, base=10000.0):
    if head_dim & 1:
        raise ValueError(f"{head_dim} channels cannot be paired")
    speeds = 1.0 / (base ** (torch.arange(head_dim // 2).to(positions.device) * 2 / head_dim))
    return torch.outer(positions.to(speeds.dtype), speeds)


def apply_rotary(x, cos, sin):
    wide = x.to(torch.promote_types(torch.promote_types(x.dtype, cos.dtype), torch.float32))
    pairs = torch.view_as_complex(torch.stack(wide.chunk(2, dim=-1), dim=-1).contiguous())
    turned = torch.view_as_real(pairs * torch.complex(cos.to(wide.dtype), sin.to(wide.dtype)))
    return torch.cat([turned[..., 0], turned[..., 1]], dim=-1).type_as(x)


class RotaryAttention(nn.Module):
    def __init__(self, d_in, d_out, num_heads, base=10000.0, qkv_bias=False):
        super().__init__()
        self.heads, self.width, self.base = num_heads, d_out // num_heads, base
        for name in ("W_query", "W_key", "W_value"):
            setattr(self, name, nn.Linear(d_in, d_out, bias=qkv_bias))
        self.out_proj = nn.Linear(d_out, d_out)

    def forward(self, x):
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, self.width)).transpose(1, 2)
            for layer in (self.W_query, self.W_key, self.W_value)
        )
        angles = rotary_angles(torch.arange(x.size(1)).to(x.device), self.width, self.base)
        query, key = (apply_rotary(one, torch.cos(angles), torch.sin(angles)) for one in (query, key))
        scores = torch.matmul(query, key.mT) / self.width**0.5
        hidden = torch.zeros_like(scores).masked_fill(scores.new_ones(scores.shape[-2:]).tril() == 0, -torch.inf)
        context = torch.nn.functional.softmax(scores + hidden, dim=-1).matmul(value)
        return self.out_proj(context.transpose(1, 2).flatten(2))


def alibi_slopes(num_heads):
    ratio = 2 ** (-8 / num_heads)
    return torch.tensor([ratio ** (i + 1) for i in range(num_heads)])


def alibi_bias(num_heads, tokens):
    heads = []
    for slope in alibi_slopes(num_heads):
        falling = slope * torch.arange(tokens)
        whole = falling[None, :] - falling[:, None]
        heads.append(torch.where(torch.ones(tokens, tokens).tril() == 1, whole, torch.tensor(float("-inf"))))
    return torch.stack(heads)
