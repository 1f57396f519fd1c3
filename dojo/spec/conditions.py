"""Under which conditions a law is tried, so that no author has to remember them.

A law states what must be true. Whether numbers are of single or double precision, how tensors and gradients lie in
memory, whether something was called before, how arguments are handed over, and whether a module is trained or a copy
of it evaluated makes no difference to it. So each example of a claim is tried under other conditions: those of a
covering array, in which every two levels of two factors meet in some example, as far as the number of examples goes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

FACTORS: dict[str, tuple[str, ...]] = {
    "layout": ("contiguous", "transposed", "permuted", "cut"),
    "dtype": ("float64", "float32"),
    "earlier": ("nothing", "other calls"),
    "arguments": ("by position", "by keyword"),
    "modules": ("as made", "copied"),
    "mode": ("as made", "eval"),
    "gradients": ("recorded", "none"),
}
# Factors that change together, as where a model is evaluated: eight examples have no column for each.
COLUMNS = {name: (name,) for name in ("layout", "dtype", "earlier", "arguments")} | {
    "evaluation": ("modules", "mode", "gradients")
}
WORDS = {
    "transposed": "tensors transposed in memory",
    "permuted": "tensors whose outer dimensions are exchanged in memory",
    "cut": "tensors cut from larger ones",
    "float32": "in float32",
    "float64": "in float64",
    "other calls": "after other calls",
    "by position": "all arguments by position",
    "by keyword": "all arguments by keyword",
    "copied": "in a copy of the module",
    "eval": "in eval mode",
    "none": "under torch.no_grad()",
}


@dataclass(frozen=True)
class Conditions:
    """A level of each factor; the defaults are the simplest. Gradients arrive in the layout after the arguments'."""

    layout: str = "contiguous"
    dtype: str = ""  # that of the claim, where it does not vary
    earlier: str = "nothing"
    arguments: str = ""  # as the law has them
    modules: str = "as made"
    mode: str = "as made"  # of a module, when it is made
    gradients: str = "recorded"

    @property
    def arriving(self) -> str:
        """The layout in which gradients arrive."""
        layouts = FACTORS["layout"]
        return layouts[(layouts.index(self.layout) + 1) % len(layouts)] if self != Conditions() else "contiguous"

    def double(self, usual: bool) -> bool:
        """Whether numbers are of double precision; `usual` is what the claim says."""
        return self.dtype == "float64" if self.dtype else usual

    def simpler(self) -> list[Conditions]:
        """These conditions with one factor less."""
        plain = Conditions()
        changed = [field.name for field in fields(self) if getattr(self, field.name) != getattr(plain, field.name)]
        return [replace(self, **{name: getattr(plain, name)}) for name in changed]

    def __str__(self) -> str:
        return ", ".join(WORDS[level] for level in (getattr(self, f.name) for f in fields(self)) if level in WORDS)


def covering(count: int, without: Mapping[str, str], start: int = 0) -> list[Conditions]:
    """Conditions for `count` examples, the first the simplest, the factors of `without` left as they are.

    Eight examples are enough for every pair of levels. From the third on, the next row is the one that meets most pairs
    that have not met before; `start` decides the second and between equals, so that claims with few examples try
    different ones.
    """
    columns = {column: [name for name in names if name not in without] for column, names in COLUMNS.items()}
    rows = [{column: row[column] for column, names in columns.items() if names} for row in _orthogonal(start)]
    chosen: list[dict[str, int]] = []
    met: set[object] = set()
    for number in range(count):
        row = rows[number] if number < 2 else max(rows, key=lambda row: len(_pairs(row) - met))
        if number > 1 and not _pairs(row) - met:
            met = set()
            row = max(rows, key=lambda row: len(_pairs(row) - met))
        chosen.append(row)
        met |= _pairs(row)
    return [_conditions(row, columns) for row in chosen]


def _conditions(row: Mapping[str, int], columns: Mapping[str, Sequence[str]]) -> Conditions:
    return Conditions(**{name: FACTORS[name][level] for column, level in row.items() for name in columns[column]})


def _orthogonal(start: int) -> list[dict[str, int]]:
    """Eight rows in which every two levels of two columns meet equally often, the simplest first (an orthogonal array:
    the columns of two levels are the exclusive or of a bit with bits of the layout's number)."""
    orders = list(itertools.permutations(range(1, len(FACTORS["layout"]))))
    order = [0, *orders[start % len(orders)]]
    binary = list(itertools.permutations([column for column in COLUMNS if column != "layout"]))[start // 6 % 24]
    rows = []
    for bit, number in itertools.product((0, 1), range(len(order))):
        levels = bit, bit ^ number & 1, bit ^ number >> 1, bit ^ (number & 1) ^ (number >> 1)
        row = {"layout": order[number]} | dict(zip(binary, levels))
        rows.append({column: row[column] for column in COLUMNS})
    at = 1 + start // 144 % 7
    return [rows[0], *rows[at:], *rows[1:at]]


def _pairs(row: dict[str, int]) -> set[object]:
    return set(itertools.combinations(row.items(), 2)) | set(row.items())
