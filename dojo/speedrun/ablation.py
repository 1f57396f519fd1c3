"""`make ablate`: what each trick of the record is worth, in steps and seconds to the target without it.

The record names its tricks: `TRICKS = Tricks()`, a dataclass with a switch for each, all on. Its recipes say how many
steps they take, first `SHORT = Recipe(steps=…)`. Without a trick, it is the same file with two more lines, judged as
any submission is. How many steps that needs is not known before, for the schedule depends on it: it is trained with
more and more of them, each time `GROWTH` times as many, until it reaches the target; and so is the record.
"""

from __future__ import annotations

import ast
import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..bench import machine, results
from ..bench.rounds import quartiles
from ..system.console import warn
from ..system.data_files import DataError
from .nursery import Nursery
from .referee import Text, judge
from .rules import RuleBroken

BEGIN = 0.6  # times the steps that the record takes, which are more than most seeds need
GROWTH = 1.15
MOST = 4.0  # times the steps that the record takes: who needs more does not reach the target
ALL = "all tricks"
Row = dict[str, Any]
Judge = Callable[[bytes, int], Row]  # trains a source with a seed: its `seconds` and `loss`


def run(root: Path, record: Path, console: Console, target: float, seeds: int, only: str) -> int:
    """Measure, print and keep the table of a record file; the exit status."""
    source = record.read_bytes()
    names = tricks_of(source)
    wanted = [name.strip() for name in only.split(",") if name.strip()] or names
    if unknown := sorted(set(wanted) - set(names)):
        warn(f"There is no trick {', '.join(unknown)}. There are: {', '.join(names)}.")
        return 2
    try:
        text = Text.shakespeare()
    except DataError as error:
        warn(f"{error}\nThe race is on tinyshakespeare: make data")
        return 2
    found = results.new("ablation", **machine.describe("cpu", root))

    def judged(changed: bytes, seed: int) -> Row:
        return judge(nursery, changed, record.name, text, math.inf, seed)

    try:
        with Nursery() as nursery:
            rows = measure(source, wanted, target, seeds, judged, lambda line: console.print(line, soft_wrap=True))
    except RuleBroken as error:
        warn(f"{record.name} is refused. Rule “{error.rule}”: {error}.")
        return 1
    console.print(table(rows, target))
    path = root / "runs" / "ablation.json"
    sizes = {"target": target, "seeds": seeds}
    results.write(path, found | {"rows": rows, "sizes": sizes, "load_after": machine.load()})
    console.print(f"Results: {path.relative_to(root).as_posix()}")
    return 0


def tricks_of(source: bytes) -> list[str]:
    """The switches of the class `Tricks` in a file."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "Tricks"]
    return [node.target.id for one in classes for node in one.body if isinstance(node, ast.AnnAssign)]


def recipes_of(source: bytes) -> dict[str, int]:
    """How many steps each recipe of a file takes. Raises ValueError where there is none."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Recipe("):
            steps = next(one.value for one in node.value.keywords if one.arg == "steps")
            found[ast.unparse(node.targets[0])] = ast.literal_eval(steps)
    if not found:
        raise ValueError("the record does not say SHORT = Recipe(steps=…)")
    return found


def measure(source: bytes, names: list[str], target: float, seeds: int, judge: Judge, say: Any) -> list[Row]:
    """A row for the record, and one for it without each trick; each seed goes round all of them in turn.

    `seconds` are those of the run that reached the target, `ratio` is to the record's with the same seed.
    """
    found: dict[str, list[Row]] = {name: [] for name in [ALL, *names]}
    for seed in range(1, seeds + 1):
        for name in found:
            off = "" if name == ALL else f"{name}=False"
            one = _to_target(source, off, target, lambda changed, seed=seed: judge(changed, seed))
            found[name].append(one)
            missed = "" if one["reached"] else ", not reached"
            without = name if name == ALL else f"without {name}"
            say(f"seed {seed}, {without}: {one['steps']} steps, {one['seconds']:.2f} s, loss {one['loss']:.4f}{missed}")
    return [_row(name, found[name], found[ALL], target) for name in found]


def _to_target(source: bytes, off: str, target: float, judge: Callable[[bytes], Row]) -> Row:
    recipes = recipes_of(source)
    every = " = ".join(f"{name}.steps" for name in recipes)
    for count in _more_and_more(next(iter(recipes.values()))):
        outcome = judge(source + f"\nTRICKS = Tricks({off})\n{every} = {count}\n".encode())
        if outcome["loss"] <= target:
            break
    facts = {name: outcome[name] for name in ("seconds", "loss")}
    return {"steps": count, "reached": outcome["loss"] <= target, **facts}


def _more_and_more(steps: int) -> Iterator[int]:
    most, steps = MOST * steps, math.ceil(BEGIN * steps)
    while steps <= most:
        yield steps
        steps = math.ceil(steps * GROWTH)


def _row(name: str, found: list[Row], base: list[Row], target: float) -> Row:
    seconds = [one["seconds"] for one in found]
    low, middle, high = quartiles(seconds)
    ratio_low, ratio, ratio_high = quartiles([one["seconds"] / other["seconds"] for one, other in zip(found, base)])
    row = {"name": name, "race": f"to {target:g}", "seconds": middle, "low": low, "high": high, "rounds": len(found)}
    row |= {"ratio": ratio, "ratio_low": ratio_low, "ratio_high": ratio_high}
    row |= {"steps": statistics.median(one["steps"] for one in found), "reached": all(one["reached"] for one in found)}
    return row | {"runs": found}


def table(rows: list[Row], target: float) -> Table:
    """What each trick is worth: without it, how long the target takes."""
    shown = Table(title=f"To validation loss {target:g}: without one trick at a time", title_justify="left")
    shown.add_column("without")
    for name in ("steps", "seconds", "fastest–slowest", "times as long", "ms a step"):
        shown.add_column(name, justify="right")
    for row in rows:
        times = [one["seconds"] for one in row["runs"]]
        step = statistics.median(one["seconds"] / one["steps"] for one in row["runs"])
        more = "" if row["reached"] else "over "
        shown.add_row(
            "— (the record)" if row["name"] == ALL else row["name"].replace("_", " "),
            f"{more}{row['steps']:.0f}",
            f"{row['seconds']:.2f}",
            f"{min(times):.2f}–{max(times):.2f}",
            f"{more}{row['ratio']:.2f}",
            f"{1000 * step:.1f}",
        )
    return shown
