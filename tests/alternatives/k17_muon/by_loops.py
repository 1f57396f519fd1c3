"""Horner's rule with an identity matrix; AdamW number by number; the optimizer counts its parameters out."""

import torch


def adamw_step(weight, gradient, mean, square, step, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    flat = [tensor.reshape(-1) for tensor in (weight, gradient, mean, square)]
    outs = [torch.empty(weight.numel(), dtype=weight.dtype) for _ in range(3)]
    for i in range(weight.numel()):
        w, g, m, s = (float(tensor[i]) for tensor in flat)
        m = betas[0] * m + (1 - betas[0]) * g
        s = betas[1] * s + (1 - betas[1]) * g * g
        direction = (m / (1 - betas[0] ** step)) / ((s / (1 - betas[1] ** step)) ** 0.5 + eps)
        outs[0][i], outs[1][i], outs[2][i] = w - lr * direction - lr * weight_decay * w, m, s
    return [out.reshape(weight.shape) for out in outs]


def newton_schulz(matrix, steps=5, coefficients=(3.4445, -4.7750, 2.0315)):
    m, n = matrix.shape
    if not matrix.any():
        return matrix.clone()
    X = (matrix if m <= n else matrix.t()) / torch.linalg.matrix_norm(matrix, ord="fro")
    identity = torch.eye(min(m, n), dtype=matrix.dtype)
    done = 0
    while done < steps:
        A = X.mm(X.t())
        X = (coefficients[0] * identity + A @ (coefficients[1] * identity + coefficients[2] * A)) @ X
        done += 1
    return (X if m <= n else X.t()).clone()


def muon_step(weight, gradient, buffer, *, lr=0.02, momentum=0.95, nesterov=True, weight_decay=0.0, steps=5):
    new = torch.clone(buffer)
    new.mul_(momentum).add_(gradient)
    if nesterov:
        direction = new * momentum + gradient
    else:
        direction = new
    scale = (weight.shape[0] / weight.shape[1]) ** 0.5
    if scale < 1:
        scale = 1
    weight = weight * (1 - lr * weight_decay)
    weight = weight - (lr * scale) * newton_schulz(direction, steps=steps)
    return weight, new


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.02, momentum=0.95, nesterov=True, weight_decay=0.0, steps=5):
        super().__init__(
            params,
            {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay, "steps": steps},
        )
        shapes = [p.shape for group in self.param_groups for p in group["params"]]
        bad = [tuple(shape) for shape in shapes if len(shape) != 2]
        if bad:
            raise ValueError(f"only matrices, not {bad}")

    @torch.no_grad()
    def step(self):
        pairs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for group, p in pairs:
            if len(self.state[p]) == 0:
                self.state[p]["step"] = 0
                self.state[p]["m"] = torch.zeros(p.shape, dtype=p.dtype)
            g = p.grad.clone()
            self.state[p]["step"] += 1
            new, self.state[p]["m"] = muon_step(
                p,
                g,
                self.state[p]["m"],
                lr=group["lr"],
                momentum=group["momentum"],
                nesterov=group["nesterov"],
                weight_decay=group["weight_decay"],
                steps=group["steps"],
            )
            p[...] = new
