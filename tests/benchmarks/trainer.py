"""Train a preset to a validation loss and tell how long that took: the program behind `make bench-train`.

`python -m tests.benchmarks.trainer '{"preset": "shakespeare", …}'`, a `Job`, prints a JSON object a line: `step`,
`steps` and `loss` now and then, and at last a `Training`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from dojo.curriculum.catalog import Catalog
from dojo.gpt.model import parts
from dojo.gpt.presets import PRESETS
from dojo.gpt.training import Enough, Run, TrainingError
from dojo.system.data_files import DataError

from .training import Job, Training

NEWS = 20  # steps between two lines of news


class TimedRun(Run):
    """A run that ends at the first evaluation at or below `target`."""

    target: float = 0.0

    def evaluate(self) -> float:
        """Evaluate as any run does; raises Enough at the target."""
        loss = super().evaluate()
        if loss <= self.target:
            raise Enough
        return loss


def main() -> None:
    """Run the job that the command line holds."""
    job = Job(**json.loads(sys.argv[1]))
    preset = dataclasses.replace(PRESETS[job.preset], evaluate_every=job.evaluate_every)
    preset = dataclasses.replace(preset, steps=job.steps or preset.steps)
    with tempfile.TemporaryDirectory() as folder:
        built = parts(Catalog(Path(job.root)), frozenset(job.solved))
        run = TimedRun(preset, Path(folder) / "run", *built, say=lambda text: None)
        run.target = job.target
        try:
            run.prepare()
            run.begin()
        except (DataError, TrainingError) as error:
            sys.exit(str(error))
        print(json.dumps(dataclasses.asdict(train(run))), flush=True)


def train(run: TimedRun) -> Training:
    """Train until the target is reached, or to the preset's last step. Evaluating and saving are not timed."""
    flop, preset = flop_of_step(run), run.preset

    def print_news(run: Run) -> None:
        if run.step % NEWS == 0:
            print(json.dumps({"step": run.step, "steps": preset.steps, "loss": run.losses[-1]}), flush=True)

    run.train(print_news)
    rate = preset.batch_size * preset.context_length / run.median_step
    return Training(sum(run.durations), run.best <= run.target, run.best, run.step, rate, flop, flop / run.median_step)


def flop_of_step(run: Run) -> int:
    """The arithmetic in the matrix products of one step, forward and backward, counted while one is done aside."""
    preset = run.preset
    ids = run.train_data[: preset.batch_size * preset.context_length].view(preset.batch_size, -1)
    with FlopCounterMode(display=False) as counter:
        logits = run.model(ids)
        run.parts["k11"].cross_entropy(logits, ids).backward()
    run.model.zero_grad(set_to_none=True)
    return int(counter.get_total_flops())


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
