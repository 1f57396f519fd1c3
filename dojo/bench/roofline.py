"""What rows of a results file mean: rates, shares of what the machine can do, growth with T. No torch here.

The roofline (Williams et al. 2009): a call that moves few bytes for each operation cannot be faster than memory lets
it, whatever the processor could do. So its roof is the rate of a large matrix product, or its intensity (operations a
byte) times the bandwidth of a large copy, whichever is lower.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Any

from .results import Results, Row

WAYS = {"forward": "forward", "both": "forward + backward"}  # the passes, in words


def timed(results: Results, **labels: Any) -> list[Row]:
    """The rows that have times, and these labels: `timed(results, dtype="float32", T=128)`."""
    rows = [row for row in results["rows"] if "seconds" in row]
    return [row for row in rows if all(row.get(name) == value for name, value in labels.items())]


def rate(row: Row) -> float | None:
    """Work done by the second, in the row's unit; None where a call has no measure."""
    return row["work"] / row["seconds"] if row.get("work") else None


def flop_rate(row: Row) -> float | None:
    """FLOP/s of the arithmetic that the task needs, whatever else is computed; None where it was not counted."""
    return row["flop"] / row["seconds"] if row.get("flop") else None


def share(results: Results, row: Row) -> float | None:
    """The FLOP/s of a row as a part of those of a large matrix product there; None where one was not measured."""
    reached, most = flop_rate(row), results["limits"].get(row.get("dtype", ""))
    return reached / most if reached and most else None


def intensity(row: Row) -> float | None:
    """Operations for each byte that a call moves at least; None where memory was not measured."""
    return row["flop"] / row["moved_bytes"] if row.get("flop") and row.get("moved_bytes") else None


def exponent(rows: Iterable[Row]) -> float | None:
    """How time grows with T: the p of T to the power of p that fits best (least squares of the logarithms)."""
    points = [(math.log(row["T"]), math.log(row["seconds"])) for row in rows if "seconds" in row]
    if len({tokens for tokens, _ in points}) < 2:
        return None
    return statistics.linear_regression(*zip(*points)).slope


def series(results: Results) -> list[tuple[str, str]]:
    """The dtypes and passes of attention that have times, in the order in which they were measured."""
    return list(dict.fromkeys((row["dtype"], row["pass"]) for row in timed(results)))


def names(rows: Iterable[Row]) -> list[str]:
    """The racers, in order."""
    return list(dict.fromkeys(row["name"] for row in rows))
