"""Einsum and Horner's rule; AdamW by its rearranged constants; the class keeps its buffers as SGD does, from None."""

import math

import torch


def adamw_step(weight, gradient, mean, square, step, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    mean = mean + (gradient - mean) * (1 - betas[0])
    square = square + (gradient.pow(2) - square) * (1 - betas[1])
    corrected = math.sqrt(1 - betas[1] ** step)
    size = lr * corrected / (1 - betas[0] ** step)
    moved = size * mean / (square.sqrt() + eps * corrected)
    return weight - moved - lr * weight_decay * weight, mean, square


def newton_schulz(matrix, steps=5, coefficients=(3.4445, -4.7750, 2.0315)):
    if matrix.shape[0] > matrix.shape[1]:
        return newton_schulz(matrix.transpose(0, 1), steps, coefficients).transpose(0, 1)
    a, b, c = coefficients
    norm = torch.einsum("mn,mn->", matrix, matrix).sqrt()
    X = matrix / torch.where(norm > 0, norm, torch.ones_like(norm))
    for _ in range(steps):
        A = torch.einsum("mk,nk->mn", X, X)
        AX = torch.einsum("mk,kn->mn", A, X)
        X = a * X + b * AX + c * torch.einsum("mk,kn->mn", A, AX)
    return X


def muon_step(weight, gradient, buffer, *, lr=0.02, momentum=0.95, nesterov=True, weight_decay=0.0, steps=5):
    old, buffer = buffer, gradient + momentum * buffer
    direction = (1 + momentum) * gradient + momentum**2 * old if nesterov else buffer
    m, n = weight.shape
    update = newton_schulz(direction, steps) * (math.sqrt(m / n) if m > n else 1.0)
    return torch.sub(weight, lr * (update + weight_decay * weight)), buffer


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.02, momentum=0.95, nesterov=True, weight_decay=0.0, steps=5):
        groups = [one if isinstance(one, dict) else {"params": [one]} for one in params]
        for group in groups:
            group["params"] = list(group["params"])
            for weight in group["params"]:
                if len(weight.shape) != 2:
                    raise ValueError(f"a parameter of shape {tuple(weight.shape)} is no matrix")
        defaults = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay, "steps": steps}
        super().__init__(groups, defaults)

    def step(self):
        for group in self.param_groups:
            options = {k: v for k, v in group.items() if k not in ("params", "initial_lr")}
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                buffer = self.state[weight].get("momentum_buffer")
                if buffer is None:
                    buffer = weight.new_zeros(weight.shape)
                weight.data, self.state[weight]["momentum_buffer"] = muon_step(
                    weight.data, weight.grad, buffer, **options
                )
