"""Judge one seed of a submission to the speedrun: have it train, then measure what the model knows.

The submission's process never sees the validation split while it trains, and is gone when the model is handed over.
New processes then answer with logits, and the loss is computed here, out of reach of the submission's code.
`python -m dojo.speedrun.referee '{"file": …, "target": …, "device": …}'` judges one seed and prints its `Outcome`.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..gpt import corpus
from ..system import data_files
from . import rules
from .process import SubmissionProcess
from .rules import RuleBroken
from .submission import Job, Reply

BATCH = 8192  # tokens that the model is asked about at a time
VALIDATION = 0.1  # of the text


@dataclass(frozen=True)
class Split:
    """A text as ids: what is learned from, what the verdict is found on, and how many characters there are."""

    train: Tensor
    valid: Tensor
    vocab_size: int

    @classmethod
    def of(cls, text: str) -> Split:
        """The first nine tenths of a text to learn from, the last to be judged on; ids are of the sorted characters."""
        number = {character: at for at, character in enumerate(sorted(set(text)))}
        ids = torch.tensor([number[character] for character in text], dtype=torch.int16)
        cut = int(len(ids) * (1 - VALIDATION))
        return cls(ids[:cut], ids[cut:], len(number))

    @classmethod
    def shakespeare(cls) -> Split:
        """The text of the race. Raises DataError where it is not there."""
        return cls.of(corpus.tinyshakespeare().text)


@dataclass(frozen=True)
class Outcome:
    """What came of one seed."""

    seed: int
    seconds: float  # of training, and of what was put off until the first answer
    loss: float  # nats a token of the whole validation split
    context_length: int
    parameters: int | None
    printed: str = ""  # the last line that it printed


def judge(
    source: bytes, name: str, text: Split, target: float, seed: int | None = None, device: str = "cpu"
) -> Outcome:
    """Train and evaluate a submission with one seed, drawn afresh where none is given. Raises RuleBroken."""
    if len(source) > rules.SOURCE:
        raise RuleBroken("one file", f"the file has {len(source):,} bytes, and {rules.SOURCE:,} is the most")
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    hidden = [data_files.DOWNLOADS, *map(Path, filter(None, [os.environ.get(data_files.MIRROR)]))]
    job = Job("train", source, name, seed, text.vocab_size, target, device, hidden)
    with SubmissionProcess(job) as process:
        model, seconds = process.ask(text.train.numpy(), rules.TRAINING, "time")
    examination = Examination(replace(job, plan="answer"), model.payload, model.context_length, text)
    loss, late = examination.run()
    if not loss <= target:
        raise RuleBroken("target", f"with seed {seed} it reaches {loss:.4f} after {seconds:.2f} s, not {target:g}")
    return Outcome(seed, seconds + late, loss, model.context_length, model.parameters, process.printed)


class Examination:
    """Ask a model about the validation split, in windows of its context length, every token once."""

    def __init__(self, job: Job, model: bytes, context: int, text: Split):
        self.job, self.model, self.valid = job, model, text.valid
        self.context = min(context, len(text.valid) // 4)
        self.count = (len(text.valid) - 1) // self.context
        self.windows = self._windows(0)

    def _windows(self, start: int) -> Tensor:
        return self.valid[start : start + self.count * self.context].view(self.count, self.context)

    def _batches(self) -> list[tuple[Tensor, Tensor]]:
        """Ids and the targets of each, in random order; what fills no window comes last."""
        order = torch.tensor(random.SystemRandom().sample(range(self.count), self.count))
        windows, targets = self.windows[order], self._windows(1)[order]
        rows = max(1, BATCH // self.context)
        batches = [(windows[row : row + rows], targets[row : row + rows]) for row in range(0, self.count, rows)]
        rest = self.valid[None, self.count * self.context :]
        return [*batches, (rest[:, :-1], rest[:, 1:])] if rest.shape[1] > 1 else batches

    def run(self) -> tuple[float, float]:
        """The mean loss in nats a token, and the seconds that have to be added to the time. Raises RuleBroken."""
        batches = self._batches()
        asked = batches[0][0]
        (first, *answers, last), late = self._answers([asked, *(ids for ids, _ in batches), asked])
        for other in (first, last):
            if (difference := (answers[0] - other).abs().max()) > rules.TOLERANCE:
                raise RuleBroken(
                    "no memory", f"asked the same again, its log-probabilities differ by up to {difference:.2g}"
                )
        losses = [
            F.nll_loss(answer.flatten(0, 1), targets.flatten().long(), reduction="sum")
            for answer, (_, targets) in zip(answers, batches)
        ]
        late = min(late, self._look_for_leaks(asked, first))  # what was put off is done by every new process
        return float(sum(losses)) / (len(self.valid) - 1), late

    def _look_for_leaks(self, asked: Tensor, before: Tensor) -> float:
        """Ask a new process about windows that go on differently from somewhere on, in another order."""
        changed = asked.clone()
        draw = random.SystemRandom()
        cuts = [draw.randrange(1, self.context) for _ in changed]
        for row, cut in zip(changed, cuts):
            other = self.windows[draw.randrange(self.count)]
            row[cut:] = torch.where(other[cut:] == row[cut:], (other[cut:] + 1) % self.job.vocab_size, other[cut:])
        order = draw.sample(range(len(asked)), len(asked))
        (after, _), late = self._answers([changed[order]] * 2)
        for answer, row in zip(after, order):
            if (difference := (answer[: cuts[row]] - before[row, : cuts[row]]).abs().max()) > rules.TOLERANCE:
                raise RuleBroken(
                    "causal",
                    f"when later tokens and other rows change, its log-probabilities change by up to {difference:.2g}",
                )
        return late

    def _answers(self, batches: list[Tensor]) -> tuple[list[Tensor], float]:
        """The log-probabilities that a new process gives, and how much longer than it should the first one took."""
        ends = time.monotonic() + rules.EVALUATION
        answers, times = [], []
        with SubmissionProcess(self.job) as process:
            _, loading = process.ask(self.model, rules.EVALUATION, "evaluation")
            for ids in batches:
                reply, seconds = process.ask(ids.numpy(), ends - time.monotonic(), "evaluation")
                answers.append(self._read(reply, ids))
                times.append(seconds)
        late = loading + times[0] - times[1]
        return answers, late if late > rules.GRACE else 0.0

    def _read(self, reply: Reply, ids: Tensor) -> Tensor:
        shape, expected = tuple(reply.shape), (*ids.shape, self.job.vocab_size)
        if shape != expected:
            raise RuleBroken("logits", f"for ids {tuple(ids.shape)} it gives logits {shape}, not {expected}")
        logits = torch.frombuffer(bytearray(reply.payload), dtype=torch.float32).view(shape)
        if not logits.isfinite().all():
            raise RuleBroken("logits", "its logits are not all finite")
        return logits.double().log_softmax(-1)


def main() -> None:
    """Judge one seed, as the command line says."""
    asked = json.loads(sys.argv[1])
    path = Path(asked["file"])
    try:
        outcome = judge(path.read_bytes(), path.name, Split.shakespeare(), asked["target"], device=asked["device"])
    except RuleBroken as error:
        print(json.dumps({"refused": [error.rule, str(error)]}))
        sys.exit(1)
    except (data_files.DataError, OSError) as error:
        sys.exit(str(error))
    print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
