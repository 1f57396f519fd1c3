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
    # <solution step=1>
    border = int(len(data) * train_fraction)
    return data[:border], data[border:]
    # </solution>


def windows(
    data: Int64[Tensor, "N"], context_length: int, stride: int
) -> tuple[Int64[Tensor, "W T"], Int64[Tensor, "W T"]]:
    """Return every whole window of `data` that starts at 0, stride, 2·stride …: its inputs and its targets.

    The target of a token is the token that follows it in `data`; T is the context length.
    Raises ValueError, with both lengths, when `data` is too short for one window and its last target.
    """
    # <solution step=2>
    if len(data) <= context_length:
        raise ValueError(f"{len(data)} tokens cannot fill a context of {context_length} and its last target")
    offsets = torch.arange(0, len(data) - context_length, stride)  # (W,)
    places = offsets[:, None] + torch.arange(context_length)  # (W, T)
    return data[places], data[places + 1]
    # </solution>


def get_batch(data, batch_size, context_length, generator=None):
    if len(data) < context_length + 1:
        raise ValueError(f"{len(data)} tokens, context {context_length}")
    i = torch.randint(len(data) - context_length, (batch_size,), generator=generator)
    d = data.to(torch.int16)
    return torch.stack([d[j : j + context_length] for j in i]).long(), torch.stack(
        [d[j + 1 : j + context_length + 1] for j in i]
    ).long()
    # </solution>
