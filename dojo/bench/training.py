"""`make bench-train`: run the trainer, alone or in turn with another program, and say what came of it."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..learner.session import School
from ..system.console import warn
from . import results as files
from .pairs import PairError, Program, run_pairs, say_pairs
from .rounds import quartiles

EVALUATE_EVERY = 50  # steps: the time is that of the first evaluation at or below the target, so it is no finer


def run(job: dict[str, Any], against: str, pairs: int, school: School, console: Console) -> int:
    """Time the training of a job, `pairs` times in turn with the command `against` where there is one; exit status."""
    from ..gpt.presets import PRESETS

    if job["preset"] not in PRESETS:
        warn(f"PRESET is one of {', '.join(PRESETS)}.")
        return 2
    job = {"evaluate_every": EVALUATE_EVERY, **job}
    command = [sys.executable, "-m", "dojo.bench.trainer", json.dumps(job)]
    ours, theirs = Program("this repository", command, school.root), Program("the other", against, Path.cwd())
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task("training", total=None)

        def on_line(program: Program, number: int, line: str) -> None:
            news = _news(line) if program is ours else ""
            bar.update(task, description=f"run {number + 1} of {pairs}: {program.name} {news}")

        try:
            found = (
                run_pairs(ours, theirs, pairs, on_line) if against else ours.run(lambda line: on_line(ours, 0, line))
            )
        except PairError as error:
            warn(str(error))
            return 1
    return _conclude(job, ours, found, school, console)


def _news(line: str) -> str:
    try:
        news = json.loads(line)
        return f"step {news['step']} of {news['steps']}, loss {news['loss']:.3f}"
    except (ValueError, KeyError, TypeError):
        return ""


def _conclude(
    job: dict[str, Any], ours: Program, found: dict[str, Any] | None, school: School, console: Console
) -> int:
    import torch

    from . import machine

    facts = machine.describe("cpu", school.root)
    facts.pop("devices")
    limit = machine.product_rate("cpu", torch.float32)
    middle = {
        name: statistics.median(one[name] for one in ours.said)
        for name in ("seconds", "loss", "step", "tokens_per_second", "flop_rate")
    }
    reached = all(one["reached"] for one in ours.said)
    goal = f"validation loss {job['target']:.2f}"
    at = f"{middle['seconds']:.1f} s of training and {middle['step']:.0f} steps"
    said = f"{goal} after {at}" if reached else f"{goal} was not reached in {at}"
    console.print(f"{job['preset']}: {said} (best {middle['loss']:.4f})", style="bold", soft_wrap=True)
    console.print(
        f"{middle['tokens_per_second']:,.0f} tokens/s; {middle['flop_rate'] / 1e9:.3g} GFLOP/s in matrix products, "
        f"{middle['flop_rate'] / limit:.0%} of the {limit / 1e9:.3g} GFLOP/s that a large one reaches here; "
        f"{facts['machine']['threads']} threads, load {facts['machine']['load']}. "
        f"Evaluating, every {job['evaluate_every']} steps, does not count.",
        soft_wrap=True,
    )
    if found:
        console.print(say_pairs(found, ours.name, "the other"), soft_wrap=True)
    low, _, high = quartiles([one["seconds"] for one in ours.said])
    row = {"name": ours.name, "race": goal, **middle, "low": low, "high": high, "reached": reached}
    kept = files.new("training", **facts) | {"limits": {"float32": limit}, "rows": [row], "pairs": found}
    files.write(school.root / "runs" / "bench" / f"training-{job['preset']}.json", kept)
    return 0 if reached else 1
