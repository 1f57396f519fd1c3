"""Judge one seed of a submission to the speedrun: have it train, then measure what the model knows.

The submission's process never sees the validation split while it trains, and is gone when the model is handed over.
New processes then answer with logits, and the loss is computed here, out of reach of the submission's code.
`python -m dojo.speedrun.referee '{"file": …, "target": …, "device": …}'` judges one seed and prints a JSON object,
`seconds` in it.
"""

from __future__ import annotations

import functools
import json
import os
import random
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..gpt import corpus
from ..system import data_files
from . import rules
from .child import Child
from .nursery import Nursery
from .rules import RuleBroken

BATCH = 8192  # tokens that the model is asked about at a time
VALIDATION = 0.1  # of the text


@dataclass(frozen=True)
class Text:
    """A text as ids: what is learned from, what the verdict is found on, and how many characters there are."""

    train: Tensor
    valid: Tensor
    vocab_size: int

    @classmethod
    def of(cls, text: str) -> Text:
        """The first nine tenths of a text to learn from, the last to be judged on; ids are of the sorted characters."""
        number = {character: at for at, character in enumerate(sorted(set(text)))}
        ids = torch.tensor([number[character] for character in text], dtype=torch.int16)
        cut = int(len(ids) * (1 - VALIDATION))
        return cls(ids[:cut], ids[cut:], len(number))

    @classmethod
    def shakespeare(cls) -> Text:
        """The text of the race. Raises DataError where it is not there."""
        return cls.of(corpus.tinyshakespeare().text)


def judge(
    nursery: Nursery,
    source: bytes,
    name: str,
    text: Text,
    target: float,
    seed: int | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Train and evaluate a submission with one seed, drawn afresh where none is given. Raises RuleBroken.

    Returns `seed`, `seconds`, `loss`, `context_length`, `parameters`, and `said`: the last line that it printed.
    """
    if len(source) > rules.SOURCE:
        raise RuleBroken("one file", f"the file has {len(source):,} bytes, and {rules.SOURCE:,} is the most")
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    hidden = [str(data_files.DOWNLOADS), *filter(None, [os.environ.get(data_files.MIRROR)])]
    job = {"name": name, "seed": seed, "vocab_size": text.vocab_size, "target": target}
    job |= {"hidden": hidden, "device": device}
    with Child(nursery, {"plan": "train", **job}, source) as child:
        (told, model), seconds = child.ask({}, _bytes(text.train), rules.TRAINING, "time")
    ask = functools.partial(Child, nursery, {"plan": "answer", **job}, source)
    loss, late = Examination(ask, model, told["context_length"], text).run()
    if not loss <= target:
        raise RuleBroken("target", f"with seed {seed} it reaches {loss:.4f} after {seconds:.2f} s, not {target:g}")
    facts = {name: told[name] for name in ("context_length", "parameters")}
    return {"seed": seed, "seconds": seconds + late, "loss": loss, "said": child.printed, **facts}


class Examination:
    """Ask a model about the validation split, in windows of its context length, every token once."""

    def __init__(self, start: Callable[[], Child], model: bytes, context: int, text: Text):
        context = min(context, len(text.valid) // 4)
        self.start, self.model, self.context, self.vocab_size = start, model, context, text.vocab_size
        count = (len(text.valid) - 1) // context
        self.windows = text.valid[: count * context].view(count, context)
        self.targets = text.valid[1 : count * context + 1].view(count, context)
        self.rest, self.rest_targets = text.valid[count * context : -1], text.valid[count * context + 1 :]
        self.rows = max(1, BATCH // context)
        self.order = torch.tensor(random.SystemRandom().sample(range(count), count))

    def run(self) -> tuple[float, float]:
        """The mean loss in nats a token, and the seconds that have to be added to the time. Raises RuleBroken."""
        first, *others = self.order.split(self.rows)
        batches = [self.windows[first], self.windows[first], *(self.windows[some] for some in others)]
        batches += [self.rest[None]] if len(self.rest) else []
        answers, late = self._answers([*batches, self.windows[first]])
        before, again, *between, last = answers
        for other in (again, last):
            if (difference := (before - other).abs().max()) > rules.TOLERANCE:
                raise RuleBroken(
                    "no memory", f"asked the same again, its log-probabilities differ by up to {difference:.2g}"
                )
        targets = [*(self.targets[some] for some in (first, *others)), self.rest_targets[None]]
        losses = [
            F.nll_loss(said.flatten(0, 1), at.flatten().long(), reduction="sum")
            for said, at in zip([before, *between], targets)
        ]
        late = min(late, self._look_for_leaks(first, before))  # what was put off is done by every new process
        return float(sum(losses)) / (self.targets.numel() + len(self.rest)), late

    def _look_for_leaks(self, asked: Tensor, before: Tensor) -> float:
        """Ask a new process about windows that go on differently from somewhere on, in another order."""
        changed = self.windows[asked].clone()
        draw = random.SystemRandom()
        cuts = [draw.randrange(1, self.context) for _ in changed]
        for row, cut in zip(changed, cuts):
            other = self.windows[draw.randrange(len(self.windows))]
            row[cut:] = torch.where(other[cut:] == row[cut:], (other[cut:] + 1) % self.vocab_size, other[cut:])
        order = torch.tensor(draw.sample(range(len(asked)), len(asked)))
        (after, _), late = self._answers([changed[order]] * 2)
        for place, row in enumerate(order.tolist()):
            difference = (after[place, : cuts[row]] - before[row, : cuts[row]]).abs().max()
            if difference > rules.TOLERANCE:
                raise RuleBroken(
                    "causal",
                    f"when later tokens and other rows change, its log-probabilities change by up to {difference:.2g}",
                )
        return late

    def _answers(self, batches: list[Tensor]) -> tuple[list[Tensor], float]:
        """The log-probabilities that a new process gives, and how much longer than it should the first one took."""
        ends = time.monotonic() + rules.EVALUATION
        found, times = [], []
        with self.start() as child:
            _, loading = child.ask({}, self.model, rules.EVALUATION, "evaluation")
            for ids in batches:
                message = {"shape": list(ids.shape)}
                left = ends - time.monotonic()
                (told, content), seconds = child.ask(message, _bytes(ids), left, "evaluation")
                found.append(self._read(told["shape"], content, ids))
                times.append(seconds)
        late = loading + times[0] - times[1]
        return found, late if late > rules.GRACE else 0.0

    def _read(self, shape: list[int], content: bytes, ids: Tensor) -> Tensor:
        wanted = [*ids.shape, self.vocab_size]
        if shape != wanted:
            raise RuleBroken(
                "logits", f"for ids {tuple(ids.shape)} it gives logits {tuple(shape)}, not {tuple(wanted)}"
            )
        logits = torch.frombuffer(bytearray(content), dtype=torch.float32).view(shape)
        if not logits.isfinite().all():
            raise RuleBroken("logits", "its logits are not all finite")
        return logits.double().log_softmax(-1)


def _bytes(ids: Tensor) -> bytes:
    return ids.contiguous().numpy().tobytes()


def main() -> None:
    """Judge one seed, as the command line says."""
    job = json.loads(sys.argv[1])
    path = Path(job["file"])
    try:
        with Nursery() as nursery:
            text = Text.shakespeare()
            outcome = judge(nursery, path.read_bytes(), path.name, text, job["target"], device=job["device"])
    except RuleBroken as error:
        print(json.dumps({"refused": [error.rule, str(error)]}))
        sys.exit(1)
    except (data_files.DataError, OSError) as error:
        sys.exit(str(error))
    print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
