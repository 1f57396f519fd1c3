"""The gradient of a batch is added up row by row, and a generator function hands out the batches."""

from itertools import islice
from math import cos, pi, sqrt

import torch

from ..k02_batches.batches import get_batch
from ..k11_cross_entropy.cross_entropy import corpus_loss, cross_entropy


def train_step(model, optimizer, x, y, max_grad_norm=None):
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for row, answers in zip(x.split(1), y.split(1)):
        loss = cross_entropy(model(row), answers) / len(x)
        loss.backward()
        total += loss.item()
    if max_grad_norm is not None:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norm = sqrt(sum(g.square().sum().item() for g in gradients))
        factor = min(1, max_grad_norm / (norm + 1e-6))
        for g in gradients:
            g *= factor
    optimizer.step()
    return total


def chunks(data, context_length, batch_size):
    last = (len(data) - 1) // context_length * context_length
    x = data[:last].reshape(-1, context_length)
    y = data[1 : last + 1].reshape(-1, context_length)
    for i in range(0, len(x), batch_size):
        yield x[i : i + batch_size], y[i : i + batch_size]


def evaluate(model, data, context_length, batch_size):
    with torch.random.fork_rng(devices=[]):
        return corpus_loss(model, chunks(data, context_length, batch_size))


def learning_rate(step, *, peak, warmup, total, floor=0.0):
    match step:
        case early if early < warmup:
            return peak / warmup * (early + 1)
        case late if late >= total:
            return floor
        case _:
            high, low = peak - floor, total - warmup
            return floor + high * (1 + cos(pi * (step - warmup) / low)) / 2


def batches(data, batch_size, context_length, generator):
    while True:
        yield get_batch(data, batch_size, context_length, generator)


def train(model, optimizer, data, *, steps, batch_size, context_length, schedule=None, generator=None, on_step=None):
    model.train()

    def one(step, x, y):
        if schedule is not None:
            optimizer.param_groups[:] = [{**group, "lr": schedule(step)} for group in optimizer.param_groups]
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        if on_step is not None:
            on_step(step, loss.item())
        return loss.item()

    source = islice(batches(data, batch_size, context_length, generator), steps)
    return [one(step, x, y) for step, (x, y) in enumerate(source)]
