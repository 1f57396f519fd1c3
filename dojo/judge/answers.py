"""The answer of some code on an example, small enough to keep: what is discrete as a digest, numbers as projections.

Two answers are the same where their digests are equal and their projections agree within the tolerance of `check`:
shapes, dtypes, texts, whole numbers and where a tensor is huge or not finite go into the digest; each tensor of other
numbers is multiplied by a few fixed random vectors.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..spec.check import NEGLIGIBLE, TOLERANCE, plain_name

PROJECTIONS = 6
LENGTH = 4096  # entries of a random vector; a longer tensor goes on with it from the start
_NO_EQUALITY: object = object.__eq__  # of types whose values are equal to themselves alone
FLOAT = 1e-5  # the tolerance of plain floats
LARGEST = 1e30  # of what is projected: a fill of -3.4e38 would drown the rest, and overflow in single precision
PASSED = np.uint64(0)


@dataclass(frozen=True)
class Answer:
    """`digest` is 0 for a check that passed; `slack` is how far each projection may be off."""

    digest: np.uint64
    projections: np.ndarray  # (PROJECTIONS,), float64
    slack: float

    @property
    def passed(self) -> bool:
        """Whether the code under test gave what it should."""
        return bool(self.digest == PASSED)

    def agrees(self, other: Answer) -> bool:
        """Whether two answers are the same."""
        off = np.abs(self.projections - other.projections).max()
        return bool(self.digest == other.digest and off <= max(self.slack, other.slack))


def answer_of(evidence: tuple[Any, ...]) -> Answer:
    """The answer that a piece of evidence amounts to."""
    if evidence[0] == "passed":
        return Answer(PASSED, np.zeros(PROJECTIONS), 0.0)
    summary = _Summary()
    summary.add(evidence)
    digest = np.frombuffer(summary.discrete.digest()[:8], np.uint64)[0]
    return Answer(max(digest, np.uint64(1)), summary.projections, summary.slack)


class _Summary:
    def __init__(self) -> None:
        self.discrete = hashlib.sha256()
        self.projections = np.zeros(PROJECTIONS)
        self.slack = 0.0
        self.leaves = 0

    def add(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self._add_tensor(value)
        elif isinstance(value, float):
            self._add_numbers(np.array([value]), FLOAT)
        elif isinstance(value, dict):
            self._add_parts("dict", [part for item in value.items() for part in item])
        elif isinstance(value, (list, tuple)):
            self._add_parts("list", value)
        elif isinstance(value, (set, frozenset)):  # its order is another in each process
            self._add_parts("set", sorted(value, key=repr))
        elif isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
            self.add(torch.from_numpy(value))
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            self._add_parts("fields", [getattr(value, field.name) for field in dataclasses.fields(value)])
        elif isinstance(value, type):
            self._say(plain_name(value))
        elif type(value).__name__ == plain_name(type(value)) and type(value).__eq__ is not _NO_EQUALITY:
            self._say(f"{type(value).__qualname__} {value!r}")
        else:  # no two modules are equal, and what a class of one's own is called is free: the kind has to do
            self._say(plain_name(type(value)))

    def _say(self, words: str) -> None:
        self.discrete.update(words.encode() + b"\0")

    def _add_parts(self, kind: str, parts: Iterable[Any]) -> None:
        parts = list(parts)
        self._say(f"{kind} of {len(parts)}")
        for part in parts:
            self.add(part)

    def _add_tensor(self, tensor: Tensor) -> None:
        self._say(f"tensor {tuple(tensor.shape)} {tensor.dtype}")
        if tensor.is_meta:
            return
        if not (tensor.is_floating_point() or tensor.is_complex()):
            self.discrete.update(tensor.detach().cpu().contiguous().numpy().tobytes())
            return
        numbers = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        self._add_numbers(numbers.detach().double().flatten().numpy(), TOLERANCE.get(tensor.dtype, FLOAT))

    def _add_numbers(self, numbers: np.ndarray, tolerance: float) -> None:
        projected = np.abs(numbers) <= LARGEST
        if not projected.all():
            self.discrete.update(np.where(projected, 0, _kinds(numbers)).tobytes())
            numbers = np.where(projected, numbers, 0.0)
        if not len(numbers):
            return
        self.leaves += 1
        vectors = np.resize(_vectors(self.leaves), (PROJECTIONS, len(numbers))) if len(numbers) > LENGTH else None
        vectors = _vectors(self.leaves)[:, : len(numbers)] if vectors is None else vectors
        scale = max(float(np.abs(numbers).max()), NEGLIGIBLE)
        self.projections += vectors @ numbers / len(numbers) ** 0.5
        self.slack += 3 * tolerance * scale


def _kinds(numbers: np.ndarray) -> np.ndarray:
    """What is said of huge numbers: the sign and the power of ten, which no usual fill is on the edge of."""
    with np.errstate(divide="ignore"):
        powers = np.floor(np.log10(np.abs(numbers)) + 0.25)  # NaN and infinity stay what they are
    kinds: np.ndarray = np.nan_to_num(np.copysign(powers, numbers), nan=2, posinf=1, neginf=-1)
    return kinds


@functools.lru_cache(maxsize=64)
def _vectors(leaf: int) -> np.ndarray:
    """Fixed random vectors for the numbers that come `leaf`-th in an answer; the same with every version of numpy."""
    return np.random.RandomState(leaf).standard_normal((PROJECTIONS, LENGTH))
