"""The block as two branch functions and torch.add; DeepNet by recursion; gradients on copies of the weights."""

from functools import reduce

import torch
from torch import nn
from torch.func import functional_call, grad

from ..k06_multi_head_attention.multi_head_attention import MultiHeadAttention
from ..k07_layer_norm.layer_norm import LayerNorm
from ..k08_feed_forward.feed_forward import FeedForward, gelu


class _Layer(nn.Module):
    def __init__(self, d_in, d_out, shortcut):
        super().__init__()
        self.linear = nn.Linear(d_in, d_out)
        self.weight_of_skip = 1.0 if shortcut and d_in == d_out else None

    def forward(self, x):
        new = gelu(self.linear(x))
        return new if self.weight_of_skip is None else new.add(x, alpha=self.weight_of_skip)


class DeepNet(nn.Module):
    def __init__(self, layer_sizes, shortcut):
        super().__init__()
        sizes = list(layer_sizes)
        self.first = _Layer(sizes[0], sizes[1], shortcut)
        self.rest = DeepNet(sizes[1:], shortcut) if len(sizes) > 2 else nn.Identity()

    def forward(self, x):
        return self.rest(self.first(x))


def gradient_norms(model, x):
    def loss(parameters):
        return functional_call(model, parameters, (x,)).square().mean()

    parameters = {name: values.detach().clone() for name, values in model.named_parameters()}
    gradients = grad(loss)(parameters)
    names = [f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return [gradients[name].abs().mean().item() for name in names]


class TransformerBlock(nn.Module):
    def __init__(self, emb_dim, context_length, num_heads, dropout=0.0, qkv_bias=False):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm1 = LayerNorm(emb_dim)
        self.norm2 = LayerNorm(emb_dim)
        self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, dropout, num_heads, qkv_bias)
        self.feed_forward = FeedForward(emb_dim)

    def talk(self, x):
        return self.dropout(self.attention(self.norm1(x)))

    def think(self, x):
        return self.dropout(self.feed_forward(self.norm2(x)))

    def forward(self, x):
        return reduce(lambda stream, branch: torch.add(stream, branch(stream)), (self.talk, self.think), x)
