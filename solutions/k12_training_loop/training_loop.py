"""The training loop: measure the loss, follow its gradient a little way down, repeat."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from ..k02_batches.batches import get_batch, windows
from ..k11_cross_entropy.cross_entropy import corpus_loss, cross_entropy


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Int64[Tensor, "B T"],
    y: Int64[Tensor, "B T"],
    max_grad_norm: float | None = None,
) -> float:
    """Take one optimizer step on one batch and return the loss as it was before the step.

    Gradients left from earlier play no part. With a `max_grad_norm`, which may be 0, a gradient whose norm over all
    parameters together is larger is scaled down to that norm.
    """
    # <solution step=1>
    optimizer.zero_grad()
    loss = cross_entropy(model(x), y)
    loss.backward()
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return loss.item()  # a plain number: a tensor would hold on to its graph
    # </solution>


def evaluate(model: nn.Module, data: Int64[Tensor, "N"], context_length: int, batch_size: int) -> float:
    """Return the mean loss per token over `data`: each non-overlapping window once, `batch_size` at a time.

    Mode, gradients and random state are left as they were.
    """
    # <solution step=2>
    inputs, targets = windows(data, context_length, stride=context_length)  # (windows, T) each
    return corpus_loss(model, zip(inputs.split(batch_size), targets.split(batch_size)))
    # </solution>


def learning_rate(step: int, *, peak: float, warmup: int, total: int, floor: float = 0.0) -> float:
    """Return the rate of `step`, counted from 0: a straight rise to `peak`, half a cosine down to `floor`.

    The rise takes `warmup` steps, the first already above zero; from step `total` on the rate is `floor`.
    Source: Loshchilov and Hutter 2017, "SGDR", equation 5, without the restarts.
    """
    # <solution step=3>
    if step < warmup:
        return peak * (step + 1) / warmup
    if step >= total:
        return floor
    progress = (step - warmup) / (total - warmup)  # from 0 to 1
    return floor + (peak - floor) / 2 * (1 + math.cos(math.pi * progress))
    # </solution>


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: Int64[Tensor, "N"],
    *,
    steps: int,
    batch_size: int,
    context_length: int,
    schedule: Callable[[int], float] | None = None,
    generator: torch.Generator | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train in train mode for `steps` steps on random batches of `data`; return the loss of each step.

    Before step `step`, counted from 0, every parameter group gets the rate `schedule(step)`; after it,
    `on_step(step, loss)` is called.
    """
    # <solution step=4>
    model.train()
    losses = []
    for step in range(steps):
        if schedule is not None:
            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
        x, y = get_batch(data, batch_size, context_length, generator)  # (B, T) each
        loss = train_step(model, optimizer, x, y)
        losses.append(loss)
        if on_step is not None:
            on_step(step, loss)
    return losses
    # </solution>
