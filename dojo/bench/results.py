"""Results files: what was measured, where, when and on which code, as JSON. No torch here.

A file holds one object:

- `format`: the version of this form, a number; `kind`: "attention", "kata", "training", "ablation" or "speedrun";
- `date`: UTC, ISO 8601; `commit`: of this repository, and `changed`: whether files differed from it;
- `machine`: `cpu`, `cores`, `threads`, `system`, `device` (cpu, cuda, mps), `device_name`, `load` (one-minute average
  before, or null) and `load_after`; `versions`: of python, torch and dojo;
- `limits`: measured here: `copy`, bytes a second (read and written both count), and for each dtype ("float32",
  "bfloat16") the FLOP/s of a large matrix product;
- `sizes`: what all rows share, such as `batch`, `heads`, `width`;
- `rows`: one for each racer in each race. All have `name`, and either `failure` (one line) and its `kind` (refused,
  unavailable, memory, raised), or the measurement: `seconds` a call (median), `low` and `high` (its quartiles),
  `rounds`, and `ratio`, `ratio_low`, `ratio_high` to the race's base, taken within rounds. What tells the races apart:
  `race` (a title), and for attention `dtype`, `pass` ("forward", "both"), `T`. What a call does: `work` in `unit`
  (tokens, say) and `flop`. `peak_bytes`: the most memory that a call held beyond what stood before it;
  `moved_bytes`: what it read and wrote at least, see `dojo/bench/memory.py`. `figures`: what else a race of one kata
  shows of a racer, an object of numbers by name;
- `refused`: racers that took no part at all, each with `name`, `reason` and `kind`;
- `left_out`: lines that say what was not measured, and why;
- `noisy`: the widest relative spread of a ratio over the middle half of rounds where that is too wide, else 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from ..system.files import timestamp, write_whole

FORMAT = 1
Results = dict[str, Any]


class NewerResults(ValueError):
    """A results file of a newer form than this program knows."""


def new(kind: str, **facts: Any) -> Results:
    """Results of a kind, dated now, without rows yet."""
    empty = {"limits": {}, "sizes": {}, "rows": [], "refused": [], "left_out": [], "noisy": 0.0}
    return {"format": FORMAT, "kind": kind, "date": timestamp(), **empty, **facts}


def write(path: Path, results: Results) -> None:
    """Write a results file, whole or not at all; its folder is made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def place(root: Path, name: str, results: Results) -> Path:
    """Where results are kept that are to be shown beside those of other machines."""
    machine = results["machine"]
    device, maker = machine["device"].replace(":", ""), re.sub(r"\W+", "-", machine["device_name"].lower()).strip("-")
    return root / "data" / "benchmarks" / f"{name}-{device}-{maker}-{date.today():%Y%m%d}.json"


def read(path: Path) -> Results:
    """The results in a file. Raises OSError, NewerResults, and ValueError for one that is damaged."""
    try:
        results = json.loads(path.read_bytes())
        form = results["format"]
        if isinstance(form, int) and form > FORMAT:
            raise NewerResults(f"{path.name} is of format {form}, and this program knows formats up to {FORMAT}")
        sound = [isinstance(results[name], dict) for name in ("machine", "versions", "limits", "sizes")]
        sound += [isinstance(results[name], str) for name in ("kind", "date", "commit")]
        sound += [isinstance(row["name"], str) and ("seconds" in row or "failure" in row) for row in results["rows"]]
        if form != FORMAT or not all(sound):
            raise ValueError
    except NewerResults:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{path.name} is damaged, or no results file") from None
    return results


def read_all(folder: Path, say: Callable[[str], Any]) -> list[Results]:
    """The results in every file of a folder that can be read, oldest first; `say` is told of each that cannot."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read(path))
        except NewerResults as error:
            say(f"{error}: it is left out. A newer version reads it: make update")
        except (OSError, ValueError) as error:
            say(f"{error}: it is left out.")
    return sorted(found, key=lambda results: results["date"])
