"""The block with `shortcut = x` as books write it and two dropouts; DeepNet with numbered layers; MSE against zeros."""

import torch
import torch.nn.functional as F
from torch import nn

from ..k06_multi_head_attention.multi_head_attention import MultiHeadAttention
from ..k08_feed_forward.feed_forward import GELU, FeedForward


class DeepNet(nn.Module):
    def __init__(self, layer_sizes, shortcut):
        super().__init__()
        self.use_shortcut = shortcut
        self.depth = len(layer_sizes) - 1
        self.gelu = GELU()
        for i in range(self.depth):
            self.add_module(f"layer{i}", nn.Linear(layer_sizes[i], layer_sizes[i + 1]))

    def forward(self, x):
        for i in range(self.depth):
            layer_output = self.gelu(getattr(self, f"layer{i}")(x))
            if self.use_shortcut and x.shape == layer_output.shape:
                x = x + layer_output
            else:
                x = layer_output
        return x


def gradient_norms(model, x):
    for parameter in model.parameters():
        parameter.grad = None
    output = model(x)
    loss = nn.MSELoss()(output, torch.zeros_like(output))
    loss.backward()
    norms = []
    for name, parameter in model.named_parameters():
        if "weight" in name:
            norms.append(parameter.grad.abs().mean().item())
    return norms


class TransformerBlock(nn.Module):
    def __init__(self, emb_dim, context_length, num_heads, dropout=0.0, qkv_bias=False):
        super().__init__()
        self.norm1 = nn.LayerNorm(emb_dim)
        self.norm2 = nn.LayerNorm(emb_dim)
        self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, dropout, num_heads, qkv_bias)
        self.feed_forward = FeedForward(emb_dim)
        self.dropout = nn.Dropout(dropout)
        self.rate = dropout

    def forward(self, x):
        shortcut = x
        x = self.norm1(x)
        x = self.attention(x)
        x = self.dropout(x)
        x = x + shortcut

        shortcut = x
        x = self.norm2(x)
        x = self.feed_forward(x)
        x = F.dropout(x, self.rate, training=self.training)
        return x + shortcut
