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
    # <solution step=1>
    caught, hooks = [], []

    def catch(module, inputs, output):
        caught.append(output)

    modes = [(module, module.training) for module in model.modules()]
    model.eval()  # dropout passes the weights on as they are
    try:
        for block in model.blocks:
            hooks.append(block.attention.dropout.register_forward_hook(catch))
        with torch.no_grad():
            model(ids)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            module.training = training
    return torch.stack(caught)  # (layers, B, h, T, T)
    # </solution>


def importance(weights: Float[Tensor, "layers B h T T"]) -> Float[Tensor, "B T"]:
    """Return each token's mean weight, over layers, heads and the tokens that can see it."""
    # <solution step=2>
    received = weights.mean(dim=(0, 2)).sum(dim=1)  # (B, T, T), then (B, T)
    T = weights.shape[-1]
    viewers = torch.arange(T, 0, -1, device=weights.device)  # (T,): token j is seen by T − j tokens
    return received / viewers
    # </solution>


def plot_attention(weights: Float[Tensor, "T T"], tokens: list[str], ax: "Axes | None" = None) -> "Axes":
    """Draw one map, input tokens on x and output tokens on y, the weight as colour; return its axes.

    x goes from left to right, as one reads, and every token has a tick with its text. Without `ax` it is drawn on a
    figure of its own, `ax.figure` of the axes returned.
    """
    from matplotlib.figure import Figure  # half a second, so only when a picture is drawn

    # <solution step=3>
    if ax is None:
        ax = Figure(layout="constrained").subplots()
    image = ax.imshow(weights.detach().cpu().numpy(), vmin=0)
    labels = [repr(token) for token in tokens]  # a space and a line break can be seen
    ax.set_xticks(range(len(tokens)), labels, rotation=90)
    ax.set_yticks(range(len(tokens)), labels)
    ax.set_xlabel("input token (looked at)")
    ax.set_ylabel("output token (looking)")
    ax.figure.colorbar(image, ax=ax, label="weight")
    return ax
    # </solution>
