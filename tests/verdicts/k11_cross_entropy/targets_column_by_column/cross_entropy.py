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
    shifted = logits - logits.amax(dim=-1, keepdim=True)  # the largest is 0, so exp never overflows
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()


def cross_entropy(logits: Float[Tensor, "... V"], targets: Int64[Tensor, "..."]) -> Float[Tensor, ""]:
    """Return the mean over all tokens of −ln(probability of the target), in nats.

    Takes logits (B, T, V) with targets (B, T), and (N, V) with (N,).
    """
    V = logits.shape[-1]
    log_probs = log_softmax(logits.reshape(-1, V))
    columns = targets.mT.reshape(-1) if targets.ndim == 2 else targets
    return -log_probs[range(len(columns)), columns].mean()


def perplexity(loss: float | Float[Tensor, ""]) -> float | Float[Tensor, ""]:
    """Return the perplexity of a mean loss in nats: a float for a float, a tensor for a tensor."""
    return loss.exp() if isinstance(loss, Tensor) else math.exp(loss)


def corpus_loss(model: nn.Module, batches: Iterable[tuple[Int64[Tensor, "B T"], Int64[Tensor, "B T"]]]) -> float:
    """Return the mean loss of `model` over all tokens of `batches`, pairs of inputs and targets of any sizes.

    The model is in eval mode meanwhile and no gradient is computed; its mode is as before afterwards, also
    when the model raises.
    """
    was_training = model.training
    model.eval()
    total, tokens = 0.0, 0
    try:
        with torch.no_grad():
            for x, y in batches:
                total += cross_entropy(model(x), y).item() * y.numel()
                tokens += y.numel()
    finally:
        model.train(was_training)
    return total / tokens
