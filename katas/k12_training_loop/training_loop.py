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
    # Step 1: about 7 lines.
    raise NotImplementedError("step 1")


def evaluate(model: nn.Module, data: Int64[Tensor, "N"], context_length: int, batch_size: int) -> float:
    """Return the mean loss per token over `data`: each non-overlapping window once, `batch_size` at a time.

    Mode, gradients and random state are left as they were.
    """
    # Step 2: about 2 lines.
    raise NotImplementedError("step 2")


def learning_rate(step: int, *, peak: float, warmup: int, total: int, floor: float = 0.0) -> float:
    """Return the rate of `step`, counted from 0: a straight rise to `peak`, half a cosine down to `floor`.

    The rise takes `warmup` steps, the first already above zero; from step `total` on the rate is `floor`.
    Source: Loshchilov and Hutter 2017, "SGDR", equation 5, without the restarts.
    """
    # Step 3: about 6 lines.
    raise NotImplementedError("step 3")


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
    # Step 4: about 12 lines.
    raise NotImplementedError("step 4")


# Stub 7c1d2b71. `make reset` brings it back; you may delete this line.
