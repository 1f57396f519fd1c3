"""Results made comparable, when two are the same, and a wrong one beside the expected one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Failure:
    """A wrong answer beside the expected one, of one shape, with what it was made from and the sizes of its example."""

    got: Tensor
    want: Tensor
    sizes: Mapping[str, int]
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, float]:
        """What a factor may be a formula of: the sizes, and the plain numbers among the inputs."""
        plain = {n: v for n, v in self.inputs.items() if type(v) in (int, float) and math.isfinite(v) and v > 0}
        return {name: value for name, value in plain.items() if value not in self.sizes.values()} | dict(self.sizes)

    @property
    def wrong(self) -> Tensor:
        """Which entries differ."""
        got, want = self.got.double(), self.want.double()
        return ~((got == want) | ((got - want).abs() <= _slack(want)) | (got.isnan() & want.isnan()))

    def axis(self, axis: int) -> str:
        """A dimension by the name of the size that it has, where only one size has it."""
        names = [name for name, size in self.sizes.items() if size == self.want.shape[axis]]
        if len(names) == 1:
            return names[0]
        return "the last dimension" if axis == self.want.ndim - 1 else f"dimension {axis}"


def comparison(got: Any, want: Any, sizes: Mapping[str, int], inputs: Mapping[str, Any]) -> Failure | tuple[Any, Any]:
    """Two results side by side; of results in parts the first parts that differ."""
    if isinstance(got, tuple) and isinstance(want, tuple) and len(got) == len(want):
        got, want = next((pair for pair in zip(got, want) if not alike(*pair)), (got, want))
    if isinstance(got, Tensor) and isinstance(want, Tensor) and got.shape == want.shape and got.dtype == want.dtype:
        return Failure(got, want, sizes, inputs)
    return got, want


def plain(value: Any) -> Any:
    """A result in which numbers are tensors of double precision, and which is kept as it is."""
    if isinstance(value, Tensor):
        return value.detach().double().clone() if value.dtype != torch.bool else value.detach().clone()
    if isinstance(value, (list, tuple)) and any(isinstance(part, (Tensor, list, tuple, dict)) for part in value):
        return tuple(plain(part) for part in value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return list(value) if type(value) is list else value


def alike(left: Any, right: Any) -> bool:
    """Whether two plain results are the same."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return left.shape == right.shape and left.dtype == right.dtype and close(left, right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(alike(left[key], right[key]) for key in left)
    if isinstance(left, float) and isinstance(right, (int, float)):
        return (
            left == right or abs(left - right) <= 1e-5 * max(abs(left), abs(right)) or (left != left and right != right)
        )
    if isinstance(left, (Tensor, tuple)) or isinstance(right, (Tensor, tuple)):
        return False
    return bool(type(left) is type(right) and left == right)


def close(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors of one shape hold the same numbers, within what float32 leaves."""
    if left.dtype == torch.bool or left.shape != right.shape or left.is_meta:
        return left.shape == right.shape and bool(left.is_meta or torch.equal(left, right))
    return torch.allclose(left, right, rtol=0, atol=_slack(right), equal_nan=True)


def _slack(want: Tensor) -> float:
    """By how much numbers may be off that are the same, within what float32 leaves of the largest."""
    finite = want[want.isfinite()].abs()
    return max(3e-5 * float(finite.max()) if finite.numel() else 0.0, 1e-9)
