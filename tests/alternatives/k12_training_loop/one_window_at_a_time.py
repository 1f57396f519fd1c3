"""Measures window by window, clears gradients on both sides of a step, and writes the whole loop into `train`."""

import math

import torch
from torch import nn

from ..k02_batches.batches import get_batch
from ..k11_cross_entropy.cross_entropy import cross_entropy, log_softmax


def train_step(model, optimizer, x, y, max_grad_norm=None):
    clear(model)
    logits = model(x)
    log_probs = log_softmax(logits).flatten(0, 1)
    loss = -log_probs[torch.arange(y.numel()), y.flatten()].mean()
    value = loss.detach().item()
    torch.autograd.backward([loss])
    limit = math.inf if max_grad_norm is None else max_grad_norm
    nn.utils.clip_grad_norm_(list(model.parameters()), limit)
    optimizer.step()
    clear(model)
    return value


def clear(model):
    for p in model.parameters():
        p.grad = None


def evaluate(model, data, context_length, batch_size):
    was = model.training
    model.train(False)
    losses = []
    start = 0
    while start + context_length < len(data):
        with torch.no_grad():
            logits = model(data[start : start + context_length].unsqueeze(0))
            losses.append(float(cross_entropy(logits[0], data[start + 1 : start + context_length + 1])))
        start += context_length
    if was:
        model.train()
    return sum(losses) / len(losses)


def learning_rate(step, *, peak, warmup, total, floor=0.0):
    if step in range(warmup):
        return peak - peak * (warmup - 1 - step) / warmup
    left = max(0, total - step) / (total - warmup)  # from 1 to 0
    return floor + (peak - floor) * math.sin(math.pi / 2 * left) ** 2


def train(model, optimizer, data, *, steps, batch_size, context_length, schedule=None, generator=None, on_step=None):
    losses = []
    for step in range(steps):
        model.train()
        optimizer.zero_grad()
        x, y = get_batch(data, batch_size, context_length, generator=generator)
        loss = cross_entropy(model(x), y)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] if schedule is None else schedule(step)
        optimizer.step()
        optimizer.zero_grad()
        losses += [loss.item()]
        if on_step:
            on_step(step, losses[-1])
    model.eval()
    return losses
