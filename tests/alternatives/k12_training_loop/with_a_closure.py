"""The optimizer calls a closure that computes loss and gradients, and torch's scheduler sets the rates."""

import math

import torch
from torch.optim.lr_scheduler import LambdaLR

from ..k02_batches.batches import get_batch, windows
from ..k11_cross_entropy.cross_entropy import cross_entropy


def train_step(model, optimizer, x, y, max_grad_norm=None):
    def closure():
        model.zero_grad(set_to_none=False)
        loss = cross_entropy(model(x), y)
        loss.backward()
        if max_grad_norm is not None:
            norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
            for p in model.parameters():
                p.grad.mul_(torch.clamp(max_grad_norm / norm, max=1.0))
        return loss

    return optimizer.step(closure).item()


def evaluate(model, data, context_length, batch_size):
    mode = model.training
    try:
        model.eval()
        with torch.no_grad():
            x, y = windows(data, context_length, context_length)
            losses = [
                cross_entropy(model(part), wanted) * len(part)
                for part, wanted in zip(torch.split(x, batch_size), torch.split(y, batch_size))
            ]
            return (torch.stack(losses).sum() / len(x)).item()
    finally:
        model.train(mode)


def learning_rate(step, *, peak, warmup, total, floor=0.0):
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    if step < warmup:
        return rise * peak
    progress = min(1.0, (step - warmup) / (total - warmup))
    return floor + 0.5 * (1.0 + math.cos(math.pi * progress)) * (peak - floor)


def train(model, optimizer, data, *, steps, batch_size, context_length, schedule=None, generator=None, on_step=None):
    scheduler = None
    if schedule is not None:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] = 1.0
        scheduler = LambdaLR(optimizer, schedule)
    history = []
    model.train()
    while len(history) < steps:
        x, y = get_batch(data, batch_size, context_length, generator)
        history.append(train_step(model, optimizer, x, y))
        if scheduler is not None:
            scheduler.step()
        if on_step is not None:
            on_step(len(history) - 1, history[-1])
    return history
