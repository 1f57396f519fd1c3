"""Attention maps: see which tokens a trained model looks at."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def attention_weights(model: nn.Module, ids: Int64[Tensor, "B T"]) -> Float[Tensor, "layers B h T T"]:
    """Return the attention weights of every layer and head, as the model uses them in eval mode.

    They are caught at `model.blocks[i].attention.dropout`, without gradients. The model is left as it was,
    its modes and hooks included, also when its forward raises.
    """
    # Step 1: about 16 lines.
    raise NotImplementedError("step 1")


def importance(weights: Float[Tensor, "layers B h T T"]) -> Float[Tensor, "B T"]:
    """Return each token's mean weight, over layers, heads and the tokens that can see it."""
    # Step 2: about 4 lines.
    raise NotImplementedError("step 2")


def plot_attention(weights: Float[Tensor, "T T"], tokens: list[str], ax: "Axes | None" = None) -> "Axes":
    """Draw one map, input tokens on x and output tokens on y, the weight as colour; return its axes.

    x goes from left to right, as one reads, and every token has a tick with its text. Without `ax` it is drawn on a
    figure of its own, `ax.figure` of the axes returned.
    """
    from matplotlib.figure import Figure  # half a second, so only when a picture is drawn

    # Step 3: about 10 lines.
    raise NotImplementedError("step 3")


# Stub 6ebf1c65. `make reset` brings it back; you may delete this line.
