"""`make bench-train`: run `trainer`, alone or in turn with another program, and say what came of it."""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import BarColumn, TimeElapsedColumn

from dojo.bench import results as files
from dojo.bench.pairs import PairError, Pairs, Program, called, run_pairs
from dojo.bench.rounds import quartiles
from dojo.gpt.presets import PRESETS
from dojo.system.console import console, progress_bar, warn


@dataclass(frozen=True)
class Job:
    """What to train, as whom, and to which validation loss, in nats a character."""

    root: str
    preset: str
    target: float
    steps: int  # at most; 0: those of the preset
    solved: list[str]  # slugs of the katas whose learner's file counts
    evaluate_every: int = 50  # steps: the time is that of an evaluation, so it is no finer


@dataclass(frozen=True)
class Training:
    """What came of one run, up to the first evaluation at or below the target or to the last step."""

    seconds: float
    reached: bool
    loss: float  # the best validation loss
    step: int
    tokens_per_second: float
    flop: int  # matrix products of a step, those of hidden scores too
    flop_rate: float


def run(job: Job, against: str, pairs: int) -> int:
    """Time the training of a job, `pairs` times in turn with the command `against` where there is one; exit status."""
    if job.preset not in PRESETS:
        warn(f"PRESET is one of {', '.join(PRESETS)}.")
        return 2
    command = [sys.executable, "-m", "tests.benchmarks.trainer", json.dumps(asdict(job))]
    ours, theirs = Program("this repository", command, Path(job.root)), Program(called(against), against, Path.cwd())
    columns = "{task.description}", BarColumn(), TimeElapsedColumn()
    with progress_bar(*columns, transient=True) as bar:
        task = bar.add_task("training", total=None)

        def on_line(program: Program, number: int, line: str) -> None:
            news = _news(line) if program is ours else ""
            bar.update(task, description=f"run {number + 1} of {pairs}: {program.name} {news}")

        compared = None
        try:
            if against:
                compared = run_pairs(ours, theirs, pairs, on_line)
            else:
                ours.run(lambda line: on_line(ours, 0, line))
        except PairError as error:
            warn(str(error))
            return 1
    return _conclude(job, [Training(**result) for result in ours.results], compared, theirs.name)


def _news(line: str) -> str:
    try:
        news = json.loads(line)
        return f"step {news['step']} of {news['steps']}, loss {news['loss']:.3f}"
    except (ValueError, KeyError, TypeError):
        return ""


def _conclude(job: Job, runs: list[Training], compared: Pairs | None, against: str) -> int:
    """Say what came of the runs, and keep it; the exit status."""
    import torch

    from dojo.bench import machine

    facts, limit = machine.describe("cpu", Path(job.root)), machine.product_rate("cpu", torch.float32)
    measured = ("seconds", "loss", "step", "tokens_per_second", "flop_rate")
    middle = {name: statistics.median(getattr(each, name) for each in runs) for name in measured}
    reached = all(each.reached for each in runs)
    goal = f"validation loss {job.target:.2f}"
    at = f"{middle['seconds']:.1f} s of training and {middle['step']:.0f} steps"
    outcome = f"{goal} after {at}" if reached else f"{goal} was not reached in {at}"
    console.print(f"{job.preset}: {outcome} (best {middle['loss']:.4f})", style="bold", soft_wrap=True)
    console.print(
        f"{middle['tokens_per_second']:,.0f} tokens/s; {middle['flop_rate'] / 1e9:.3g} GFLOP/s in matrix products, "
        f"{middle['flop_rate'] / limit:.0%} of the {limit / 1e9:.3g} GFLOP/s that a large one reaches here; "
        f"{facts['machine']['threads']} threads, load {facts['machine']['load']}. "
        f"Evaluating, every {job.evaluate_every} steps, does not count.",
        soft_wrap=True,
    )
    if compared:
        console.print(compared.describe("this repository", against), soft_wrap=True)
    low, _, high = quartiles([each.seconds for each in runs])
    row = {"name": "this repository", "race": goal, **middle, "low": low, "high": high, "reached": reached}
    kept = files.new("training", **facts, limits={"float32": limit}, rows=[row], pairs=compared and asdict(compared))
    files.write(Path(job.root) / "runs" / "bench" / f"training-{job.preset}.json", kept)
    return 0 if reached else 1
