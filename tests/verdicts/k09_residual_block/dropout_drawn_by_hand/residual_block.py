"""Residual block: attention and feed-forward each add to a stream that runs straight through."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..k06_multi_head_attention.multi_head_attention import MultiHeadAttention
from ..k07_layer_norm.layer_norm import LayerNorm
from ..k08_feed_forward.feed_forward import FeedForward, gelu


class DeepNet(nn.Module):
    """A stack of linear layers, each followed by GELU, with or without shortcuts around them."""

    def __init__(self, layer_sizes: list[int], shortcut: bool):
        """Make one `nn.Linear` between each two neighbours in `layer_sizes`."""
        super().__init__()
        self.shortcut = shortcut
        self.layers = nn.ModuleList(nn.Linear(d_in, d_out) for d_in, d_out in pairwise(layer_sizes))

    def forward(self, x: Float[Tensor, "B d_in"]) -> Float[Tensor, "B d_out"]:
        """Return the output of the last layer.

        With `shortcut`, a layer that keeps the shape of its input adds its output to it; any other replaces it.
        """
        for layer in self.layers:
            out = gelu(layer(x))
            if self.shortcut and out.shape == x.shape:
                out = x + out
            x = out
        return x


def gradient_norms(model: nn.Module, x: Float[Tensor, "B d_in"]) -> list[float]:
    """Return the mean absolute gradient of the weight of each `nn.Linear`, first layer first.

    The loss is the mean squared output. Asking twice gives the same numbers.
    """
    loss = model(x).pow(2).mean()
    weights = [layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)]
    gradients = torch.autograd.grad(loss, weights)
    return [gradient.abs().mean().item() for gradient in gradients]


class TransformerBlock(nn.Module):
    """The pre-norm transformer block: tokens talk, then each thinks, and both only add to what was there.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3.
    """

    def __init__(
        self,
        emb_dim: int,
        context_length: int,
        num_heads: int,
        dropout: float = 0.0,
        qkv_bias: bool = False,
    ):
        """Make `norm1`, `attention`, `norm2`, `feed_forward` and the module `dropout`."""
        super().__init__()
        self.norm1 = LayerNorm(emb_dim)
        self.attention = MultiHeadAttention(emb_dim, emb_dim, context_length, dropout, num_heads, qkv_bias)
        self.norm2 = LayerNorm(emb_dim)
        self.feed_forward = FeedForward(emb_dim)
        self.dropout = nn.Dropout(dropout)

    def thin(self, x):
        if not self.training:
            return x
        dropped = torch.bernoulli(torch.full(x.shape, self.dropout.p)).bool()
        return x.masked_fill(dropped, 0)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return x with what attention and then feed-forward have to add; dropout touches only what is added."""
        x = x + self.thin(self.attention(self.norm1(x)))
        x = x + self.thin(self.feed_forward(self.norm2(x)))
        return x
