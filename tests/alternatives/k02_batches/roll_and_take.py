"""Targets are the rolled data; windows are gathered with torch.take and places by repeated addition."""

import torch


def split(data, train_fraction=0.9):
    is_train = torch.arange(len(data)) < int(len(data) * train_fraction)
    return data[is_train], data[~is_train]


def check(data, context_length):
    n = data.size(0)
    if n - context_length < 1:
        raise ValueError(f"A context of {context_length:d} needs a target after it, data ends at {n:d}")
    return n - context_length


def rows(data, offsets, context_length):
    places = torch.stack([offsets + t for t in range(context_length)], dim=-1)
    following = data.roll(-1)
    return torch.take(data.contiguous(), places), torch.take(following.contiguous(), places)


def windows(data, context_length, stride):
    many = check(data, context_length)
    count = (many - 1) // stride + 1
    return rows(data, stride * torch.arange(count), context_length)


def get_batch(data, batch_size, context_length, generator=None):
    many = check(data, context_length)
    offsets = torch.empty(batch_size, dtype=torch.long).random_(0, many, generator=generator)
    return rows(data, offsets, context_length)
