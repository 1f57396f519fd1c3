"""Cuts windows of T + 1 tokens with unfold, and draws offsets as fractions of the possible ones."""

import torch


def split(data, train_fraction=0.9):
    return torch.tensor_split(data, [int(train_fraction * data.numel())])


def stretches(data, context_length, stride):
    if data.shape[0] < context_length + 1:
        raise ValueError(f"data too short: {data.shape[0]} tokens, but need at least {context_length + 1}")
    return data.unfold(0, context_length + 1, stride)


def windows(data, context_length, stride):
    both = stretches(data, context_length, stride)
    return both[:, :-1], both[:, 1:]


def get_batch(data, batch_size, context_length, generator=None):
    both = stretches(data, context_length, 1)
    which = torch.rand(batch_size, generator=generator).mul(len(both)).floor().long()
    x, y = both[which, :-1], both[which, 1:]
    return x.contiguous(), y.contiguous()
