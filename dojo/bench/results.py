"""Results files: what was measured, where, when and on which code, as JSON. No torch here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypedDict, cast

from ..system.command import command
from ..system.console import console, warn
from ..system.files import timestamp, write_whole

FORMAT = 1
FOLDERS = ("runs/bench", "data/benchmarks")  # in a clone: of this machine, and of those that were recorded


class Machine(TypedDict, total=False):
    """Where it was measured; a name of the processor or the GPU, but no path and no user."""

    cpu: str
    cores: int | None
    threads: int  # of torch
    system: str
    device: str  # cpu, cuda or mps
    device_name: str
    load: float | None  # one-minute average before
    load_after: float | None


class Facts(TypedDict, total=False):
    """What is found out before anything is timed."""

    machine: Machine
    versions: dict[str, str]  # of python, torch and dojo
    commit: str  # of this repository
    changed: bool  # whether files differed from it
    limits: dict[str, float]  # copy: bytes/s, read and written both count; a dtype: FLOP/s of a large matrix product
    sizes: dict[str, float]  # what all rows share, such as batch, heads, width


# What came of one racer in one race: `seconds` and what goes with them, or `failure` and `kind`.
Row = TypedDict(
    "Row",
    {
        "name": str,
        "race": str,  # a title, which tells the races apart; for attention dtype, pass and T do so too
        "dtype": str,
        "pass": str,  # "forward" or "both"
        "T": int,
        "work": float,  # what a call does, in `unit`
        "unit": str,
        "flop": int,  # arithmetic that a call's task needs
        "seconds": float,  # a call: the median over rounds; `low` and `high` are its quartiles
        "low": float,
        "high": float,
        "rounds": int,
        "ratio": float,  # to the race's base, taken within rounds: median and quartiles
        "ratio_low": float,
        "ratio_high": float,
        "peak_bytes": int,  # the most memory that a call held beyond what stood before it
        "moved_bytes": int,  # what it read and wrote at least, see dojo/bench/memory.py
        "figures": dict[str, float],  # what else a race shows of a racer, by name
        "failure": str,  # one line
        "kind": str,  # of failure: refused, unavailable, memory, slow or raised
    },
    total=False,
)


class Refusal(TypedDict):
    """A racer that took no part at all."""

    name: str
    reason: str
    kind: str


class Results(Facts, total=False):
    """What a file holds."""

    format: int  # the version of this form
    kind: str  # attention, kata, training, ablation or speedrun
    date: str  # UTC, ISO 8601
    rows: list[Row]
    refused: list[Refusal]
    left_out: list[str]  # lines that say what was not measured, and why
    noisy: float  # the widest relative spread of a ratio over the middle half of rounds where that is too wide, else 0
    pairs: dict[str, Any] | None  # of a training: what came of runs in turn with another program


def load() -> float | None:
    """How many processes wanted a core over the last minute, on average; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def new(kind: str, **facts: Any) -> Results:
    """Results of a kind, dated now, without rows yet."""
    empty = {"limits": {}, "sizes": {}, "rows": [], "refused": [], "left_out": [], "noisy": 0.0}
    return cast(Results, {"format": FORMAT, "kind": kind, "date": timestamp(), **empty, **facts})


def write(path: Path, results: Results) -> None:
    """Write a results file, whole or not at all; its folder is made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def keep(path: Path, results: Results, root: Path) -> None:
    """Write a results file of a clone, and say where it is; where that fails, say so and go on."""
    try:
        write(path, results)
    except OSError as error:
        warn(f"The results could not be written: {error}.")
    else:
        console.print(f"Results: {path.relative_to(root).as_posix()}")


def recorded_path(root: Path, name: str, results: Results) -> Path:
    """Where results are kept that are to be shown beside those of other machines."""
    machine = results["machine"]
    device, maker = machine["device"].replace(":", ""), re.sub(r"\W+", "-", machine["device_name"].lower()).strip("-")
    return root / FOLDERS[1] / f"{name}-{device}-{maker}-{date.today():%Y%m%d}.json"


def read(path: Path) -> Results:
    """The results in a file. Raises OSError, and ValueError for one that is damaged or of a newer form."""
    problem = "is damaged, or no results file"
    try:
        results = json.loads(path.read_bytes())
        form = results["format"]
        if isinstance(form, int) and form > FORMAT:
            problem = (
                f"is of format {form}, and this program knows formats up to {FORMAT} (a newer one: {command('update')})"
            )
        sound = [isinstance(results[name], dict) for name in ("machine", "versions", "limits", "sizes")]
        sound += [isinstance(results[name], str) for name in ("kind", "date", "commit")]
        sound += [isinstance(row["name"], str) and ("seconds" in row or "failure" in row) for row in results["rows"]]
        if form != FORMAT or not all(sound):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{path.name} {problem}") from None
    return cast(Results, results)


def read_all(folder: Path, say: Callable[[str], Any]) -> list[Results]:
    """The results in every file of a folder that can be read, oldest first; `say` is told of each that cannot."""
    readable = []
    for path in sorted(folder.glob("*.json")):
        try:
            readable.append(read(path))
        except (OSError, ValueError) as error:
            say(f"{error}: it is left out.")
    return sorted(readable, key=lambda results: results["date"])
