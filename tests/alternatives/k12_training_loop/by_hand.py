"""Everything by hand: torch's own cross-entropy, gradients from autograd.grad, clipping and averages as sums."""

import math

import torch
import torch.nn.functional as F


def train_step(model, optimizer, x, y, max_grad_norm=None):
    model.train()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    logits = model(x)
    loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), y.reshape(-1))
    gradients = torch.autograd.grad(loss, parameters)
    if max_grad_norm is not None:
        length = math.sqrt(sum((g.double() ** 2).sum().item() for g in gradients))
        if length > max_grad_norm:
            gradients = [g * (max_grad_norm / length) for g in gradients]
    for p, g in zip(parameters, gradients):
        p.grad = g
    optimizer.step()
    for p in parameters:
        p.grad = None
    return loss.item()


@torch.inference_mode()
def evaluate(model, data, context_length, batch_size):
    mode = model.training
    model.eval()
    count = (len(data) - 1) // context_length
    x = data[: count * context_length].view(count, context_length)
    y = data[1 : count * context_length + 1].view(count, context_length)
    total = 0.0
    for first in range(0, count, batch_size):
        logits = model(x[first : first + batch_size])
        total += F.cross_entropy(logits.flatten(0, 1), y[first : first + batch_size].flatten(), reduction="sum").item()
    model.train(mode)
    return total / (count * context_length)


def learning_rate(step, *, peak, warmup, total, floor=0.0):
    if step >= total:
        return floor
    if step >= warmup:
        angle = math.pi * (step - warmup) / (total - warmup)
        share = math.cos(angle / 2) ** 2
        return share * peak + (1 - share) * floor
    return (1 + step) * (peak / warmup)


def train(model, optimizer, data, *, steps, batch_size, context_length, schedule=None, generator=None, on_step=None):
    losses = [0.0] * steps
    starts = torch.randint(0, len(data) - context_length, (steps, batch_size), generator=generator)
    for number in range(steps):
        rows = [data[int(start) : int(start) + context_length + 1] for start in starts[number]]
        piece = torch.stack(rows)
        if schedule:
            rate = schedule(number)
            for group in optimizer.param_groups:
                group["lr"] = rate
        losses[number] = train_step(model, optimizer, piece[:, :-1], piece[:, 1:])
        if on_step:
            on_step(step=number, loss=losses[number])
    return losses
