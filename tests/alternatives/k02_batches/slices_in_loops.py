"""Slices the data window by window in Python loops and stacks; one draw a row."""

import math

import torch


def split(data, train_fraction=0.9):
    n = math.floor(len(data) * train_fraction)
    return [data[:n].clone(), data[n:].clone()]


def windows(data, context_length, stride):
    inputs, targets, start = [], [], 0
    if len(data) < context_length + 1:
        raise ValueError(f"context_length={context_length} needs more than len(data)={len(data)} tokens")
    while start + context_length < len(data):
        inputs.append(data[start : start + context_length])
        targets.append(data[start + 1 : start + 1 + context_length])
        start += stride
    return torch.stack(inputs), torch.stack(targets)


def get_batch(data, batch_size, context_length, generator=None):
    last = len(data) - context_length - 1
    if last < 0:
        raise ValueError(str(len(data)) + " tokens, context of " + str(context_length))
    xs, ys = [], []
    for _ in range(batch_size):
        i = int(torch.randint(0, last + 1, (1,), generator=generator))
        xs.append(data[i : i + context_length])
        ys.append(data[i + 1 : i + context_length + 1])
    return torch.stack(xs), torch.stack(ys)
