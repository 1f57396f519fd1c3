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


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The value below which a quarter of the values lie, the median, and that above which a quarter lie."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratio(times: Times, base: Times) -> dict[str, float]:
    """How many times as long as `base` it takes: the median over the rounds of the ratio within each, and quartiles."""
    ratios = [mine / other for mine, other in zip(times.seconds, base.seconds)]
    return dict(zip(("ratio_low", "ratio", "ratio_high"), quartiles(ratios))) if ratios else {}


def rows(results: Sequence[Times], base: str, labels: dict[str, Any]) -> list[Row]:
    """The rows of a results file for one race; `labels` go into every row, ratios are to the racer called `base`."""
    to = next((times for times in results if times.name == base), Times(base))
    return [cast(Row, {"name": times.name, **labels, **_measured(times, to)}) for times in results]


def _measured(times: Times, base: Times) -> dict[str, Any]:
    if times.failure or not times.seconds:
        return {"failure": times.failure or "was not timed", "kind": times.kind}
    low, middle, high = quartiles(times.seconds)
    summary = {"seconds": middle, "low": low, "high": high, "rounds": len(times.seconds)}
    return summary | ratio(times, base)


def spread(row: Row) -> float:
    """How far a row's ratio spreads over the middle half of the rounds, as a part of the ratio."""
    return (row["ratio_high"] - row["ratio_low"]) / row["ratio"]


def noisy(rows: Sequence[Row]) -> float:
    """The widest spread of a ratio among rows that have one, where it is over `NOISY`, else 0."""
    widest = max((spread(row) for row in rows if "ratio" in row), default=0.0)
    return widest if widest > NOISY else 0.0
