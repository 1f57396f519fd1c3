"""Offsets from a multinomial draw, windows by torch.take."""

import torch
import torch.nn.functional as F
from torch import nn


def split(data, train_fraction=0.9):
    n = int(train_fraction * len(data))
    return data[:n], data[n:]


def windows(data, context_length, stride):
    if len(data) < context_length + 1:
        raise ValueError(f"{len(data)} tokens are too few for a context of {context_length}")
    starts = range(0, len(data) - context_length, stride)
    rows = torch.stack([data[i : i + context_length + 1] for i in starts])
    return rows[:, :-1], rows[:, 1:]


def get_batch(data, batch_size, context_length, generator=None):
    if len(data) < context_length + 1:
        raise ValueError(f"{len(data)} tokens are too few for a context of {context_length}")
    n = len(data) - context_length
    o = torch.multinomial(torch.ones(n), batch_size, replacement=True, generator=generator)
    p = o[:, None] + torch.arange(context_length + 1)
    w = torch.take(data, p)
    return w[:, :-1], w[:, 1:]
