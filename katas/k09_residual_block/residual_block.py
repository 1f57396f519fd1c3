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
        # Step 1: about 1 line.
        raise NotImplementedError("step 1")

    def forward(self, x: Float[Tensor, "B d_in"]) -> Float[Tensor, "B d_out"]:
        """Return the output of the last layer.

        With `shortcut`, a layer that keeps the shape of its input adds its output to it; any other replaces it.
        """
        # Step 1: about 6 lines.
        raise NotImplementedError("step 1")


def gradient_norms(model: nn.Module, x: Float[Tensor, "B d_in"]) -> list[float]:
    """Return the mean absolute gradient of the weight of each `nn.Linear`, first layer first.

    The loss is the mean squared output. Asking twice gives the same numbers.
    """
    # Step 2: about 4 lines.
    raise NotImplementedError("step 2")


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
        # Step 3: about 5 lines.
        raise NotImplementedError("step 3")

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return x with what attention and then feed-forward have to add; dropout touches only what is added."""
        # Step 4: about 3 lines.
        raise NotImplementedError("step 4")


# Stub 916300c3. `make reset` brings it back; you may delete this line.
