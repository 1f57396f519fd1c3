"""Hypothesis strategies for the sizes and tensors that properties are checked on."""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from .torch_internals import unseen

DRAWN = 10_000  # tensors that are kept; those of a verdict are a few thousand, each of some hundred bytes

# Smallest and largest value of each dimension, unless a property says otherwise. Heads start at 2: one head
# hides wrong scales and wrong views.
RANGES = {
    "B": (1, 4),
    "T": (1, 7),
    "h": (2, 4),
    "d": (2, 5),
    "d_in": (2, 7),
    "d_out": (2, 7),
    "D": (2, 8),
    "V": (5, 12),
}


@dataclass(frozen=True)
class Sizes:
    """Named dimensions, pairwise distinct, and the random numbers that go with them.

    `sizes.T` is a dimension. The methods make tensors; the same call on equal sizes gives the same tensor, so
    an example can be run again on other code.
    """

    dims: dict[str, int]
    seed: int = 0
    strided: bool = field(default=False)  # tensors are views with other strides, as a transpose gives

    def __getattr__(self, name: str) -> int:
        dims: dict[str, int] = self.__dict__.get("dims", {})
        if name not in dims:
            raise AttributeError(name)
        return dims[name]

    def __repr__(self) -> str:
        text = ", ".join(f"{name}={size}" for name, size in self.dims.items())
        text += f", seed={self.seed}" if self.seed else ""
        return text + (", non-contiguous input" if self.strided else "")

    def shape(self, names: str) -> tuple[int, ...]:
        """The sizes of "B T h*d": names, numbers and products of them."""
        dims = self.dims
        return tuple(
            math.prod(part if isinstance(part, int) else dims[part] for part in parts) for parts in _parsed(names)
        )

    def generator(self, salt: str = "") -> torch.Generator:
        """A generator that depends on the seed and `salt` alone."""
        return _generator(self.text(salt))

    def normal(self, names: str, scale: float = 1.0, salt: str = "") -> Tensor:
        """Normal numbers, rounded to two decimals times `scale`, in the default dtype. Salt makes another."""
        kind = 2, torch.get_default_dtype(), self.strided
        made = _normals(self.shape(names), self.text(names + salt), scale, *kind)
        with unseen():
            return made.clone()

    def ids(self, names: str, below: int, salt: str = "") -> Tensor:
        """Random int64 token ids from 0 up to, not including, `below`."""
        with unseen():
            drawn = torch.randint(below, self.shape(names), generator=self.generator(names + salt))
            return _layout(drawn, self.strided)

    def text(self, salt: str) -> str:
        """What a generator is seeded with."""
        return f"{self.seed} {salt}"


@functools.lru_cache(maxsize=1000)
def _parsed(names: str) -> list[list[int | str]]:
    """The factors of each dimension in "B T h*d"."""
    return [[int(part) if part.isdigit() else part for part in name.split("*")] for name in names.split()]


def _generator(text: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(text.encode()))


def _layout(values: Tensor, strided: bool) -> Tensor:
    if not strided or values.ndim < 2:
        return values
    return values.transpose(-1, -2).contiguous().transpose(-1, -2)


@functools.lru_cache(maxsize=DRAWN)
def _normals(
    shape: tuple[int, ...],
    text: str,
    scale: float,
    decimals: int | None = None,
    dtype: torch.dtype = torch.float64,
    strided: bool = False,
) -> Tensor:
    """Normal numbers, not to be changed: every verdict asks for the same, and drawing takes as long as a law."""
    with unseen(), torch.no_grad():
        values = torch.randn(shape, generator=_generator(text), dtype=torch.float64)
        values = values if decimals is None else values.round(decimals=decimals)
        return _layout((values * scale).to(dtype), strided)


@st.composite
def sizes(draw: st.DrawFn, /, names: str, strided: bool = True, **ranges: tuple[int, int]) -> Sizes:
    """Sizes for the dimensions in `names`, pairwise distinct, each from its range in `ranges` or `RANGES`."""
    dims: dict[str, int] = {}
    for name in names.split():
        low, high = ranges.get(name) or RANGES[name]
        free = [size for size in range(low, high + 1) if size not in dims.values()]
        dims[name] = draw(st.sampled_from(free), label=name)
    return Sizes(dims, draw(st.integers(0, 999)), draw(st.booleans()) if strided else False)


def randomise(module: torch.nn.Module, size: Sizes, scale: float = 1.0) -> None:
    """Give every parameter of `module` normal values, so that no default start hides a mistake."""
    with torch.no_grad(), unseen():
        for name, values in module.named_parameters():
            values.copy_(_normals(tuple(values.shape), size.text(name), scale))


def _parts(row: tuple[int, ...]) -> tuple[list[Any], list[Any]]:
    """The values of a row, each with its column, and every two of them."""
    values = list(enumerate(row))
    return values, list(itertools.combinations(values, 2))


def in_turn(columns: Sequence[Sequence[Any]], count: int) -> list[tuple[Any, ...]]:
    """Different rows with a value of each column: each value about as often as others, in changing company."""
    rows = list(itertools.product(*(range(len(column)) for column in columns)))
    used: Counter[Any] = Counter()
    chosen = []
    for _ in range(min(count, len(rows))):
        row = min(rows, key=lambda row: tuple(sum(used[part] for part in parts) for parts in _parts(row)))
        for parts in _parts(row):
            used.update(parts)
        rows.remove(row)
        chosen.append(tuple(column[at] for column, at in zip(columns, row)))
    return chosen
