"""Copies that are changed in place with `lerp_`, `addcmul_` and `addmm`; the state is named as torch names it."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor


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
    mean = mean.clone().lerp_(gradient, 1 - betas[0])
    square = square.clone().mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
    scale = (1 - betas[1] ** step) ** 0.5
    denominator = square.sqrt().div_(scale).add_(eps)
    weight = weight * (1 - lr * weight_decay)
    weight = weight.addcdiv(mean, denominator, value=-lr / (1 - betas[0] ** step))
    return weight, mean, square
    # </solution>


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
    if matrix.size(0) > matrix.size(1):
        return newton_schulz(matrix.mT, steps, coefficients).mT
    a, b, c = coefficients
    X = matrix / matrix.norm().clamp(min=1e-12)
    for _ in range(steps):
        A = X @ X.mT
        B = torch.addmm(A, A, A, beta=b, alpha=c)
        X = torch.addmm(X, B, X, beta=a)
    return X
    # </solution>


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
    buffer = torch.add(gradient, buffer, alpha=momentum)
    ahead = torch.add(gradient, buffer, alpha=momentum) if nesterov else buffer
    update = newton_schulz(ahead, steps=steps)
    update = update * max(1.0, weight.size(-2) / weight.size(-1)) ** 0.5
    return weight * (1 - lr * weight_decay) - lr * update, buffer
    # </solution>


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
        super().__init__(
            params, dict(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, steps=steps)
        )
        for group in self.param_groups:
            shapes = [tuple(p.shape) for p in group["params"] if p.dim() != 2]
            if shapes:
                raise ValueError(f"only matrices, not {shapes[0]}")
        # </solution>

    @torch.no_grad()
    def step(self) -> None:
        """Take one step for each parameter that has a gradient; gradients are left as they are."""
        for group in self.param_groups:
            options = {
                key: value
                for key, value in group.items()
                if key in ("lr", "momentum", "nesterov", "weight_decay", "steps")
            }
            for p in filter(lambda p: p.grad is not None, group["params"]):
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p.grad)
                new, buffer = muon_step(p.data, p.grad, state["momentum_buffer"], **options)
                state["momentum_buffer"].copy_(buffer)
                p.data.copy_(new)
        # </solution>
