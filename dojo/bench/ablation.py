"""`make ablate`: what each trick of the record is worth, in steps and seconds to the target without it.

The record says what there is to take away: a dataclass `Tricks` with a switch for each, all on, and `train` takes
`tricks` and `steps`. How many steps a model needs is not known before it is trained, for the schedule depends on it: so
it is trained with more and more of them, each `GROWTH` times as many as before, until it reaches the target.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

from ..download import DataError
from ..school import warn
from . import machine, results, rules
from .entry import load
from .referee import BATCH, Text
from .rounds import quartiles

GROWTH = 1.2
MOST = 8.0  # times the steps that the record takes: who needs more does not reach the target
ALL = "all tricks"
Row = dict[str, Any]


def run(root: Path, record: Path, console: Console, target: float, seeds: int, only: str) -> int:
    """Measure, print and keep the table of a record file; the exit status."""
    try:
        text = Text.shakespeare()
    except DataError as error:
        warn(f"{error}\nThe race is on tinyshakespeare: make data")
        return 2
    module = load(record.read_bytes(), record.name)
    names = [field.name for field in dataclasses.fields(module.Tricks)]
    wanted = [name.strip() for name in only.split(",") if name.strip()] or names
    if unknown := sorted(set(wanted) - set(names)):
        warn(f"There is no trick {', '.join(unknown)}. There are: {', '.join(names)}.")
        return 2
    torch.set_num_threads(rules.THREADS)
    found = results.new("ablation", **machine.describe("cpu", root))
    rows = measure(module, text, target, seeds, wanted, lambda line: console.print(line, soft_wrap=True))
    console.print(table(rows, target))
    path = root / "runs" / "ablation.json"
    results.write(path, found | {"rows": rows, "sizes": {"target": target, "seeds": seeds}})
    console.print(f"Results: {path.relative_to(root).as_posix()}")
    return 0


def measure(module: types.ModuleType, text: Text, target: float, seeds: int, names: list[str], say: Any) -> list[Row]:
    """A row for the record and for each trick without which it is trained; each seed goes round all of them in turn.

    `seconds` are those of the run that reached the target, `ratio` is to the record's with the same seed.
    """
    tricks = {ALL: module.Tricks()} | {name: module.Tricks(**{name: False}) for name in names}
    begin = dict.fromkeys(tricks, module.STEPS)  # where the first seed ended the next ones begin
    found: dict[str, list[Row]] = {name: [] for name in tricks}
    for seed in range(1, seeds + 1):
        for name, switches in tricks.items():
            one = _to_target(module, text, target, seed, switches, begin[name])
            begin[name] = one["steps"] if seed == 1 else begin[name]
            found[name].append(one)
            missed = "" if one["reached"] else ", not reached"
            without = name if name == ALL else f"without {name}"
            say(f"seed {seed}, {without}: {one['steps']} steps, {one['seconds']:.2f} s, loss {one['loss']:.4f}{missed}")
    return [_row(name, found[name], found[ALL], target) for name in tricks]


def _to_target(module: types.ModuleType, text: Text, target: float, seed: int, tricks: Any, steps: int) -> Row:
    for count in _more_and_more(steps, MOST * module.STEPS):
        started = time.perf_counter()
        model = module.train(text.train.long(), text.vocab_size, seed, tricks=tricks, steps=count)
        seconds = time.perf_counter() - started
        loss = loss_of(model, text)
        if loss <= target:
            break
    return {"steps": count, "seconds": seconds, "loss": loss, "reached": loss <= target}


def _more_and_more(steps: int, most: float) -> Iterator[int]:
    while True:
        yield steps
        steps = round(steps * GROWTH)
        if steps > most:
            return


def loss_of(model: Any, text: Text) -> float:
    """The mean loss over the validation split, in windows of the model's context that do not overlap."""
    context = model.context_length
    count = (len(text.valid) - 1) // context
    ids = text.valid[: count * context].long().view(count, context)
    targets = text.valid[1 : count * context + 1].long().view(count, context)
    total, rows = 0.0, max(1, BATCH // context)
    with torch.no_grad():
        for some, at in zip(ids.split(rows), targets.split(rows)):
            total += F.cross_entropy(model(some).flatten(0, 1), at.flatten(), reduction="sum").item()
    return total / targets.numel()


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
