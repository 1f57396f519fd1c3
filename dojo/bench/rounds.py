"""What the rounds of a race say: median and spread of times, and of ratios taken within each round. No torch here."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from .results import Row

NOISY = 0.10  # a ratio whose middle half of rounds spreads over more than this is not to be trusted


@dataclass
class Times:
    """One racer's seconds a call, by round; or its failure, and of which kind: that of `timing.explain`."""

    name: str
    seconds: list[float] = field(default_factory=list)
    calls: int = 1  # in one turn
    failure: str = ""
    kind: str = ""

    def summary(self) -> dict[str, float | int]:
        """Median and the quartiles beside it, in seconds, and the number of rounds."""
        low, middle, high = quartiles(self.seconds)
        return {"seconds": middle, "low": low, "high": high, "rounds": len(self.seconds)}


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The value below which a quarter of the values lie, the median, and that above which a quarter lie."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratio(times: Times, base: Times) -> dict[str, float] | None:
    """How many times as long as `base` it takes: the median over the rounds of the ratio within each, and quartiles."""
    pairs = list(zip(times.seconds, base.seconds))
    if not pairs:
        return None
    low, middle, high = quartiles([mine / other for mine, other in pairs])
    return {"ratio": middle, "ratio_low": low, "ratio_high": high}


def rows(results: Sequence[Times], base: str, labels: dict[str, Any]) -> list[Row]:
    """The rows of a results file for one race; `labels` go into every row, ratios are to the racer called `base`."""
    to = next((times for times in results if times.name == base), None)
    made = []
    for times in results:
        row: dict[str, Any] = {"name": times.name, **labels}
        if times.failure or not times.seconds:
            row |= {"failure": times.failure or "was not timed", "kind": times.kind}
        else:
            row |= times.summary() | ((to and ratio(times, to)) or {})
        made.append(cast(Row, row))
    return made


def spread(row: Row) -> float:
    """How far a row's ratio spreads over the middle half of the rounds, as a part of the ratio."""
    return (row["ratio_high"] - row["ratio_low"]) / row["ratio"]


def noisy(rows: Sequence[Row]) -> float:
    """The widest spread of a ratio among rows that have one, where it is over `NOISY`, else 0."""
    widest = max((spread(row) for row in rows if "ratio" in row), default=0.0)
    return widest if widest > NOISY else 0.0
