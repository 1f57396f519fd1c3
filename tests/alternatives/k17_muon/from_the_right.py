"""Tall matrices are multiplied from the right instead of turned; the buffer of the class is a running mean."""

import torch


def adamw_step(weight, gradient, mean, square, step, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    beta1, beta2 = betas
    mean = torch.lerp(mean, gradient, 1 - beta1)
    square = torch.addcmul(beta2 * square, gradient, gradient, value=1 - beta2)
    denominator = square.sqrt() / (1 - beta2**step) ** 0.5 + eps
    decayed = weight * (1 - lr * weight_decay)
    return torch.addcdiv(decayed, mean, denominator, value=-lr / (1 - beta1**step)), mean, square


def newton_schulz(matrix, steps=5, coefficients=(3.4445, -4.7750, 2.0315)):
    a, b, c = coefficients
    X = matrix / matrix.norm().clamp(min=1e-8)
    for _ in range(steps):
        if X.size(0) > X.size(1):
            A = X.mT @ X
            X = a * X + X @ (b * A + c * (A @ A))
        else:
            A = X @ X.mT
            X = a * X + (b * A + c * (A @ A)) @ X
    return X


def _update(direction, steps):
    update = newton_schulz(direction, steps)
    return update * max(1, direction.size(0) / direction.size(1)) ** 0.5


def muon_step(weight, gradient, buffer, *, lr=0.02, momentum=0.95, nesterov=True, weight_decay=0.0, steps=5):
    buffer = buffer * momentum + gradient
    update = _update(torch.add(gradient, buffer, alpha=momentum) if nesterov else buffer, steps)
    return weight * (1 - lr * weight_decay) - lr * update, buffer


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.02, momentum=0.95, nesterov=True, weight_decay=0.0, steps=5):
        super().__init__(
            params, dict(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, steps=steps)
        )

    def add_param_group(self, group):
        super().add_param_group(group)
        for parameter in self.param_groups[-1]["params"]:
            if parameter.dim() != 2:
                raise ValueError(f"not a matrix: {list(parameter.shape)}")

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta = group["momentum"]
            for p in group["params"]:
                if p.grad is not None:
                    if "mean" not in self.state[p]:
                        self.state[p]["mean"] = torch.zeros_like(p)
                    mean = self.state[p]["mean"].lerp_(p.grad, 1 - beta)
                    direction = p.grad.lerp(mean, beta) if group["nesterov"] else mean
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(_update(direction, group["steps"]), alpha=-group["lr"])
