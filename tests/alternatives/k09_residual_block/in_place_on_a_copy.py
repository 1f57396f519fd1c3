"""The block adds in place, but to a tensor of its own; DeepNet collects layers one by one; a mean is a sum over n."""

import torch
from torch import nn

from ..k06_multi_head_attention.multi_head_attention import MultiHeadAttention
from ..k07_layer_norm.layer_norm import LayerNorm
from ..k08_feed_forward.feed_forward import GELU, FeedForward


class DeepNet(nn.Module):
    def __init__(self, layer_sizes, shortcut):
        super().__init__()
        self.layers = nn.ModuleList()
        self.activations = nn.ModuleList()
        previous = None
        for size in layer_sizes:
            if previous is not None:
                self.layers.append(nn.Linear(previous, size))
                self.activations.append(GELU())
            previous = size
        self.shortcut = shortcut

    def forward(self, x):
        for layer, activation in zip(self.layers, self.activations, strict=True):
            before, x = x, activation(layer(x))
            if self.shortcut and before.shape[-1] == x.shape[-1]:
                x = x + before
        return x


def gradient_norms(model, x):
    saved = [parameter.grad for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = None
    output = model(x)
    (output * output).sum().div(output.numel()).backward()
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    norms = [(layer.weight.grad.abs().sum() / layer.weight.numel()).item() for layer in layers]
    for parameter, gradient in zip(model.parameters(), saved, strict=True):
        parameter.grad = gradient
    return norms


class TransformerBlock(nn.Module):
    def __init__(self, emb_dim, context_length, num_heads, dropout=0.0, qkv_bias=False):
        super().__init__()
        self.norms = nn.ModuleList([LayerNorm(emb_dim), LayerNorm(emb_dim)])
        self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, dropout, num_heads, qkv_bias)
        self.feed_forward = FeedForward(emb_dim)
        self.dropout = nn.Dropout(dropout)

    @property
    def norm1(self):
        return self.norms[0]

    @property
    def norm2(self):
        return self.norms[1]

    def forward(self, x):
        stream = torch.zeros_like(x)
        stream += x
        stream = stream + self.dropout(self.attention(self.norm1(x)))
        thought = self.dropout(self.feed_forward(self.norm2(stream)))
        thought += stream
        return thought
