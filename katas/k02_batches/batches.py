"""Batches: one long row of tokens becomes many small exercises, each with its answers."""

import torch
from jaxtyping import Int64
from torch import Tensor


def split(
    data: Int64[Tensor, "N"], train_fraction: float = 0.9
) -> tuple[Int64[Tensor, "N_train"], Int64[Tensor, "N_val"]]:
    """Return the training part and the validation part of `data`, both in the order of the text.

    The training part holds `len(data) * train_fraction` tokens, rounded down.
    """
    # Step 1: about 2 lines.
    raise NotImplementedError("step 1")


def windows(
    data: Int64[Tensor, "N"], context_length: int, stride: int
) -> tuple[Int64[Tensor, "W T"], Int64[Tensor, "W T"]]:
    """Return every whole window of `data` that starts at 0, stride, 2·stride …: its inputs and its targets.

    The target of a token is the token that follows it in `data`; T is the context length.
    Raises ValueError, with both lengths, when `data` is too short for one window and its last target.
    """
    # Step 2: about 5 lines.
    raise NotImplementedError("step 2")


def get_batch(
    data: Int64[Tensor, "N"], batch_size: int, context_length: int, generator: torch.Generator | None = None
) -> tuple[Int64[Tensor, "B T"], Int64[Tensor, "B T"]]:
    """Return the inputs and targets of `batch_size` windows at random offsets, each offset equally likely.

    The same state of `generator` gives the same batch.
    Raises ValueError, with both lengths, when `data` is too short for one window and its last target.
    """
    # Step 3: about 5 lines.
    raise NotImplementedError("step 3")


# Stub 20b0b685. `make reset` brings it back; you may delete this line.
