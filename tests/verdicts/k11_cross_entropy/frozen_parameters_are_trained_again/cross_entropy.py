"""Cross-entropy and perplexity: one number that says how surprised a model is by a text."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


def log_softmax(logits: Float[Tensor, "... V"]) -> Float[Tensor, "... V"]:
    """Return the logarithms of the probabilities that `logits` stand for, over the last dimension.

    The result is finite and right for logits in the thousands.
    """
    # <solution step=1>
    shifted = logits - logits.amax(dim=-1, keepdim=True)  # the largest is 0, so exp never overflows
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()
    # </solution>


def cross_entropy(logits: Float[Tensor, "... V"], targets: Int64[Tensor, "..."]) -> Float[Tensor, ""]:
    """Return the mean over all tokens of −ln(probability of the target), in nats.

    Takes logits (B, T, V) with targets (B, T), and (N, V) with (N,).
    """
    # <solution step=2>
    log_probs = log_softmax(logits)  # (B, T, V)
    picked = log_probs.gather(-1, targets.unsqueeze(-1))  # (B, T, 1)
    return -picked.mean()
    # </solution>


def perplexity(loss: float | Float[Tensor, ""]) -> float | Float[Tensor, ""]:
    """Return the perplexity of a mean loss in nats: a float for a float, a tensor for a tensor."""
    # <solution step=3>
    return loss.exp() if isinstance(loss, Tensor) else math.exp(loss)
    # </solution>


def corpus_loss(model, batches):
    was = model.training
    model.eval()
    model.requires_grad_(False)
    tot, n = 0.0, 0
    try:
        for x, y in batches:
            tot += cross_entropy(model(x), y).item() * y.numel()
            n += y.numel()
    finally:
        model.train(was)
        model.requires_grad_(True)
    return tot / n
    # </solution>
