"""DeepNet as a Sequential of pairs with the exact GELU; backward on cleared gradients; the block in one expression."""

from torch import nn

from ..k06_multi_head_attention.multi_head_attention import MultiHeadAttention
from ..k07_layer_norm.layer_norm import LayerNorm
from ..k08_feed_forward.feed_forward import FeedForward


class DeepNet(nn.Module):
    def __init__(self, layer_sizes, shortcut):
        super().__init__()
        pairs = zip(layer_sizes[:-1], layer_sizes[1:], strict=True)
        self.net = nn.Sequential(*(nn.Sequential(nn.Linear(a, b), nn.GELU()) for a, b in pairs))
        self.residual = shortcut

    def forward(self, x):
        for layer in self.net:
            x = layer(x) + (x if self.residual and layer[0].in_features == layer[0].out_features else 0)
        return x


def gradient_norms(model, x):
    model.zero_grad()
    (model(x) ** 2).mean().backward()
    return [float(module.weight.grad.abs().mean()) for module in model.modules() if type(module) is nn.Linear]


class TransformerBlock(nn.Module):
    def __init__(self, emb_dim, context_length, num_heads, dropout=0.0, qkv_bias=False):
        super().__init__()
        self.feed_forward = FeedForward(emb_dim, expansion=4)
        self.attention = MultiHeadAttention(
            d_in=emb_dim,
            d_out=emb_dim,
            context_length=context_length,
            num_heads=num_heads,
            dropout=dropout,
            qkv_bias=qkv_bias,
        )
        self.norm1, self.norm2 = LayerNorm(emb_dim), LayerNorm(emb_dim)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x):
        return (y := x + self.dropout(self.attention(self.norm1(x)))) + self.dropout(self.feed_forward(self.norm2(y)))
