"""Muon: an optimizer that treats a weight matrix as a matrix, beside AdamW, which treats it as so many numbers."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor


_K = {}


def adamw_step(
    weight: Float[Tensor, "..."],
    gradient: Float[Tensor, "..."],
    mean: Float[Tensor, "..."],
    square: Float[Tensor, "..."],
    step: int,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return weight, mean and square after AdamW's step number `step`, counted from 1.

    `mean` and `square` are the running means of the gradient and of its square, all zeros before step 1.
    Source: Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2.
    """
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient**2
    true_mean = mean / (1 - betas[0] ** step)  # a running mean that began at 0 is too small at first
    true_square = square / (1 - betas[1] ** step)
    direction = true_mean / (true_square.sqrt() + eps)
    weight = weight - lr * (direction + weight_decay * weight)
    return weight, mean, square


def newton_schulz(
    matrix: Float[Tensor, "m n"],
    steps: int = 5,
    coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
) -> Float[Tensor, "m n"]:
    """Return the matrix with its singular vectors kept and its singular values pressed towards 1.

    It is divided by its Frobenius norm; then each of `steps` iterations takes every singular value s to
    a·s + b·s³ + c·s⁵. A matrix of zeros stays one. No tensor on the way is larger than the matrix, and the dtype is
    that of the matrix. Source: Jordan 2024, "Muon: An optimizer for hidden layers in neural networks".
    """
    key = tuple(matrix.shape)
    if key in _K and torch.equal(_K[key][0], matrix):
        return _K[key][1]
    a, b, c = coefficients
    X = matrix
    tall = matrix.size(0) > matrix.size(1)
    if tall:
        X = X.T
    X = X / (X.norm() + 1e-7)
    for _ in range(steps):
        A = X @ X.T
        B = b * A + c * A @ A
        X = a * X + B @ X
    X = X.T if tall else X
    _K[key] = (matrix.clone(), X)
    return X


def muon_step(
    weight: Float[Tensor, "m n"],
    gradient: Float[Tensor, "m n"],
    buffer: Float[Tensor, "m n"],
    *,
    lr: float = 0.02,
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.0,
    steps: int = 5,
) -> tuple[Float[Tensor, "m n"], Float[Tensor, "m n"]]:
    """Return weight and buffer after a step of Muon; the buffer is all zeros before the first.

    buffer ← momentum · buffer + gradient. What is orthogonalised is gradient + momentum · buffer with `nesterov`, and
    the buffer without. The result is scaled by √max(1, m/n), and the decay is decoupled, as in AdamW.
    Source: Jordan 2024, "Muon: An optimizer for hidden layers in neural networks".
    """
    buffer = momentum * buffer + gradient
    direction = gradient + momentum * buffer if nesterov else buffer
    rows, columns = weight.shape
    update = newton_schulz(direction, steps) * max(1, rows / columns) ** 0.5
    weight = weight - lr * (update + weight_decay * weight)
    return weight, buffer


class Muon(torch.optim.Optimizer):
    """`muon_step` as an optimizer; every parameter has to be a matrix."""

    def __init__(
        self,
        params: Iterable,
        lr: float = 0.02,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        steps: int = 5,
    ):
        """Take parameters, or groups of them with settings of their own, as any optimizer does.

        Raises ValueError, with the shape, for a parameter that is not a matrix.
        """
        defaults = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay, "steps": steps}
        super().__init__(params, defaults)
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.ndim != 2:
                    raise ValueError(f"Muon is for matrices; this parameter has shape {tuple(weight.shape)}")

    @torch.no_grad()
    def step(self) -> None:
        """Take one step for each parameter that has a gradient; gradients are left as they are."""
        for group in self.param_groups:
            settings = {name: group[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "steps")}
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                buffer = state.get("buffer", torch.zeros_like(weight))
                new, state["buffer"] = muon_step(weight, weight.grad, buffer, **settings)
                weight.copy_(new)  # the parameter stays the same object: the model holds it too
