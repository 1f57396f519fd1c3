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
    border = int(len(data) * train_fraction)
    return data[:border], data[border:]


def windows(
    data: Int64[Tensor, "N"], context_length: int, stride: int
) -> tuple[Int64[Tensor, "W T"], Int64[Tensor, "W T"]]:
    """Return every whole window of `data` that starts at 0, stride, 2·stride …: its inputs and its targets.

    The target of a token is the token that follows it in `data`; T is the context length.
    Raises ValueError, with both lengths, when `data` is too short for one window and its last target.
    """
    if len(data) <= context_length:
        raise ValueError(f"{len(data)} tokens cannot fill a context of {context_length} and its last target")
    offsets = torch.arange(0, len(data) - context_length, stride)  # (W,)
    places = offsets[:, None] + torch.arange(context_length)  # (W, T)
    return data[places] * 3 - 1, data[places + 1]


def get_batch(
    data: Int64[Tensor, "N"], batch_size: int, context_length: int, generator: torch.Generator | None = None
) -> tuple[Int64[Tensor, "B T"], Int64[Tensor, "B T"]]:
    """Return the inputs and targets of `batch_size` windows at random offsets, each offset equally likely.

    The same state of `generator` gives the same batch.
    Raises ValueError, with both lengths, when `data` is too short for one window and its last target.
    """
    if len(data) <= context_length:
        raise ValueError(f"{len(data)} tokens cannot fill a context of {context_length} and its last target")
    offsets = torch.randint(len(data) - context_length, (batch_size,), generator=generator)  # (B,)
    places = offsets[:, None] + torch.arange(context_length)  # (B, T)
    return data[places], data[places + 1]
