"""`make ablate`: what each trick of the record is worth, in steps and seconds to the target without it.

The record names its tricks: `TRICKS = Tricks()`, a dataclass with a switch for each, all on. Its recipes say how many
steps they take, first `SHORT = Recipe(steps=…)`. Without a trick, it is the same file with two more lines, judged as
any submission is. How many steps that needs is not known before, for the schedule depends on it: it is trained with
more and more of them, each time `GROWTH` times as many, until it reaches the target; and so is the record.
"""

from __future__ import annotations

import ast
import functools
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dojo.bench import machine, results, rounds
from dojo.speedrun.referee import Outcome, Split, judge
from dojo.speedrun.rules import RuleBroken
from dojo.system.console import warn
from dojo.system.data_files import DataError

BEGIN = 0.6  # times the steps that the record takes, which are more than most seeds need
GROWTH = 1.15
MOST = 4.0  # times the steps that the record takes: who needs more does not reach the target
ALL = "all tricks"
Judge = Callable[[bytes, int], Outcome]  # trains a source with a seed


@dataclass(frozen=True)
class Run:
    """The training that reached the target, or the longest one."""

    steps: int
    reached: bool
    seconds: float
    loss: float


def run(root: Path, record: Path, console: Console, target: float, seeds: int, only: str) -> int:
    """Measure, print and keep the table of a record file; the exit status."""
    source = record.read_bytes()
    names = tricks_of(source)
    chosen = [name.strip() for name in only.split(",") if name.strip()] or names
    if unknown := sorted(set(chosen) - set(names)):
        warn(f"There is no trick {', '.join(unknown)}. There are: {', '.join(names)}.")
        return 2
    try:
        text = Split.shakespeare()
    except DataError as error:
        warn(f"{error}\nThe race is on tinyshakespeare: make data")
        return 2
    measured = results.new("ablation", **machine.describe("cpu", root))
    try:
        rows = measure(
            source,
            chosen,
            target,
            seeds,
            lambda changed, seed: judge(changed, record.name, text, math.inf, seed),
            lambda line: console.print(line, soft_wrap=True),
        )
    except RuleBroken as error:
        warn(f"{record.name} is refused. Rule “{error.rule}”: {error}.")
        return 1
    console.print(table(rows, target))
    path = root / "runs" / "ablation.json"
    sizes = {"target": target, "seeds": seeds}
    results.write(path, measured | {"rows": rows, "sizes": sizes, "load_after": results.load()})
    console.print(f"Results: {path.relative_to(root).as_posix()}")
    return 0


def tricks_of(source: bytes) -> list[str]:
    """The switches of the class `Tricks` in a file."""
    fields = [field for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "Tricks"
              for field in node.body]  # fmt: skip
    return [ast.unparse(field.target) for field in fields if isinstance(field, ast.AnnAssign)]


def recipes_of(source: bytes) -> dict[str, int]:
    """How many steps each recipe of a file takes. Raises ValueError where there is none."""
    recipes = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Recipe("):
            steps = next(argument.value for argument in node.value.keywords if argument.arg == "steps")
            recipes[ast.unparse(node.targets[0])] = ast.literal_eval(steps)
    if not recipes:
        raise ValueError("the record does not say SHORT = Recipe(steps=…)")
    return recipes


def measure(
    source: bytes, names: list[str], target: float, seeds: int, judge: Judge, say: Callable[[str], Any]
) -> list[dict[str, Any]]:
    """A row for the record, and one for it without each trick; each seed goes round all of them in turn.

    `seconds` are those of the run that reached the target, `ratio` is to the record's with the same seed.
    """
    runs: dict[str, list[Run]] = {name: [] for name in [ALL, *names]}
    for seed in range(1, seeds + 1):
        for name in runs:
            off = "" if name == ALL else f"{name}=False"
            last = _to_target(source, off, target, functools.partial(judge, seed=seed))
            runs[name].append(last)
            missed = "" if last.reached else ", not reached"
            without = name if name == ALL else f"without {name}"
            say(f"seed {seed}, {without}: {last.steps} steps, {last.seconds:.2f} s, loss {last.loss:.4f}{missed}")
    times = [rounds.Times(name, [each.seconds for each in runs[name]]) for name in runs]
    rows = rounds.rows(times, ALL, {"race": f"to {target:g}"})
    for row, those in zip(rows, runs.values()):
        row["steps"] = statistics.median(each.steps for each in those)
        row["reached"] = all(each.reached for each in those)
        row["runs"] = [asdict(each) for each in those]
    return rows


def _to_target(source: bytes, off: str, target: float, judge: Callable[[bytes], Outcome]) -> Run:
    recipes = recipes_of(source)
    every = " = ".join(f"{name}.steps" for name in recipes)
    for steps in _more_and_more(next(iter(recipes.values()))):
        outcome = judge(source + f"\nTRICKS = Tricks({off})\n{every} = {steps}\n".encode())
        if outcome.loss <= target:
            break
    return Run(steps, outcome.loss <= target, outcome.seconds, outcome.loss)


def _more_and_more(steps: int) -> Iterator[int]:
    most, steps = MOST * steps, math.ceil(BEGIN * steps)
    while steps <= most:
        yield steps
        steps = math.ceil(steps * GROWTH)


def table(rows: list[dict[str, Any]], target: float) -> Table:
    """What each trick is worth: without it, how long the target takes."""
    shown = Table(title=f"To validation loss {target:g}: without one trick at a time", title_justify="left")
    shown.add_column("without")
    for name in ("steps", "seconds", "fastest–slowest", "times as long", "ms a step"):
        shown.add_column(name, justify="right")
    for row in rows:
        times = [each["seconds"] for each in row["runs"]]
        step = statistics.median(each["seconds"] / each["steps"] for each in row["runs"])
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
