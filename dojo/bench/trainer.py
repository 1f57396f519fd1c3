"""Train a preset to a validation loss and say how long that took: the program behind `make bench-train`.

`python -m dojo.bench.trainer '{"preset": "shakespeare", …}'` prints a JSON object a line: `step`, `steps` and `loss`
now and then, and at last `seconds` (of training up to the first evaluation at or below the target; evaluating and
saving do not count), `reached`, `loss`, `step`, `tokens_per_second`, `flop` (matrix products of a step, those of hidden
scores too), `flop_rate`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..curriculum.catalog import Catalog
from ..gpt.presets import PRESETS, parts
from ..gpt.training import Run, TrainingError
from ..system.data_files import DataError

TOLD = 20  # steps between two lines of news


class _Reached(Exception):
    pass


class TimedRun(Run):
    """A run that ends at the first evaluation at or below `target`."""

    target: float = 0.0

    def evaluate(self) -> float:
        """Evaluate as any run does; raises when that is enough."""
        loss = super().evaluate()
        if loss <= self.target:
            raise _Reached
        return loss


def main() -> None:
    """Run the job that the command line holds."""
    job = json.loads(sys.argv[1])
    catalog = Catalog(Path(job["root"]))
    changes = {name: value for name, value in job.items() if name in ("steps", "evaluate_every") and value}
    preset = dataclasses.replace(PRESETS[job["preset"]], **changes)
    with tempfile.TemporaryDirectory() as folder:
        run = TimedRun(preset, Path(folder) / "run", *parts(catalog, frozenset(job["solved"])), say=lambda text: None)
        run.target = job["target"]
        try:
            run.prepare()
            run.begin()
        except (DataError, TrainingError) as error:
            sys.exit(str(error))
        print(json.dumps(train(run)), flush=True)


def train(run: TimedRun) -> dict[str, Any]:
    """Train until the target is reached, or to the preset's last step."""
    flop = flop_of_step(run)

    def tell(run: Run) -> None:
        if run.step % TOLD == 0:
            print(json.dumps({"step": run.step, "steps": run.preset.steps, "loss": run.losses[-1]}), flush=True)

    try:
        run.train(tell)
        reached = False
    except _Reached:
        reached = True
    seconds = sum(run.durations)
    tokens = run.preset.batch_size * run.preset.context_length
    return {
        "seconds": seconds,
        "reached": reached,
        "loss": run.best,
        "step": run.step,
        "tokens_per_second": tokens / run.median_step,
        "flop": flop,
        "flop_rate": flop / run.median_step,
    }


def flop_of_step(run: Run) -> int:
    """The arithmetic in the matrix products of one step, forward and backward, counted while one is done aside."""
    preset = run.preset
    ids = run.train_data[: preset.batch_size * preset.context_length].view(preset.batch_size, -1)
    with FlopCounterMode(display=False) as counter:
        logits = run.model(ids)
        run.parts["k11"].cross_entropy(logits, ids).backward()
    run.model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
