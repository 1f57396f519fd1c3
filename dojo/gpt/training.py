"""The graduation run: train a GPT made of the katas' parts, the learner's own where they are solved."""

from __future__ import annotations

import json
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import ModuleType

import torch

from ..figures.plots import attention_maps, loss_curve
from ..system.files import write_whole
from .presets import USED, Preset, build_model, continue_text

SAMPLED = 400  # characters of the sample at the end
LOOKED_AT = 16  # characters of it whose attention is drawn
BATCH = 64  # windows that are evaluated together


class TrainingError(Exception):
    """A run that cannot start or go on; the message says what to do."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM: the run stops after the step it is in."""


@dataclass
class Run:
    """One run in its folder: last.pt, best.pt, history.json, loss.png, sample.txt, attention.png."""

    preset: Preset
    folder: Path
    parts: dict[str, ModuleType]
    whose: dict[str, str]
    say: Callable[[str], None] = print
    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)  # seconds of each step of this process
    unsaved: str = ""  # why the last attempt to save failed

    def prepare(self) -> None:
        """Load the corpus and build the model, its optimizer and the generator of its batches."""
        self.corpus = self.preset.corpus()
        text, preset = self.corpus.text, self.preset
        self.tokenizer = self.parts["k01"].CharTokenizer(text)
        ids = torch.tensor(self.tokenizer.encode(text), dtype=torch.int64)
        self.train_data, self.validation = self.parts["k02"].split(ids)
        torch.manual_seed(preset.seed)
        self.generator = torch.Generator().manual_seed(preset.seed)
        self.model = build_model(self.parts, preset, self.tokenizer.vocab_size)
        decay = [p for p in self.model.parameters() if p.ndim >= 2]
        rest = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": decay, "weight_decay": preset.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=preset.peak, betas=preset.betas, fused=True)  # one call a step

    def begin(self) -> None:
        """Make the folder and save step 0. Raises TrainingError when that cannot be written."""
        if (self.folder / "best.pt").is_file():
            aside = self.folder.with_name(f"{self.folder.name}-{datetime.now():%Y%m%d-%H%M%S}")
            self.folder.rename(aside)
            self.say(f"The run that was here is kept as {aside.name}.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"{self.folder} cannot be made: {error.strerror}. Nothing was started.") from None
        self.save()
        if self.unsaved:
            raise TrainingError(f"{self.folder} cannot be written: {self.unsaved}. Nothing was started.")

    def resume(self) -> None:
        """Go on from last.pt. Raises TrainingError when there is none or it belongs to other code."""
        path = self.folder / "history.json"
        try:
            history = json.loads(path.read_text(encoding="utf-8"))
            step = self.parts["k14"].load_checkpoint(
                self.folder / "last.pt", self.model, self.optimizer, self.generator
            )
        except FileNotFoundError:
            raise TrainingError(f"There is no run to resume in {self.folder}. Start one: make train") from None
        except (ValueError, self.parts["k14"].CheckpointError) as error:
            raise TrainingError(f"The run in {self.folder} cannot be resumed: {error}") from None
        changed = sorted(code for code in USED if history["parts"].get(code) != self.whose.get(code))
        if changed:
            names = ", ".join(changed)
            raise TrainingError(f"This run was begun with other code for {names}. Start a new one, without RESUME.")
        self.losses = history["losses"][:step]
        self.evaluations = [(at, loss) for at, loss in history["evaluations"] if at <= step]

    @property
    def step(self) -> int:
        """How many steps have been taken."""
        return len(self.losses)

    @property
    def best(self) -> float:
        """The lowest validation loss so far."""
        return min((loss for _, loss in self.evaluations), default=float("inf"))

    def train(self, on_step: Callable[[Run], None] = lambda run: None) -> None:
        """Train to the end. Raises Interrupted, with everything saved, when a signal asks to stop."""
        preset = self.preset
        with _stop_requests() as asked:
            self._evaluate_if_due()
            while self.step < preset.steps:
                start = self.step
                try:
                    self.parts["k12"].train(
                        self.model,
                        self.optimizer,
                        self.train_data,
                        steps=min(preset.evaluate_every - start % preset.evaluate_every, preset.steps - start),
                        batch_size=preset.batch_size,
                        context_length=preset.context_length,
                        schedule=lambda step, start=start: self.rate(start + step),
                        generator=self.generator,
                        on_step=self._after(asked, on_step),
                    )
                except Interrupted:
                    self.save()
                    raise
                self._evaluate_if_due()

    def _evaluate_if_due(self) -> None:
        """A run that was stopped just before an evaluation makes up for it when it goes on."""
        due = self.step == self.preset.steps or self.step % self.preset.evaluate_every == 0
        if due and self.step > 0 and (not self.evaluations or self.evaluations[-1][0] != self.step):
            self.evaluate()
            self.save()

    def _after(self, asked: list[int], on_step: Callable[[Run], None]) -> Callable[[int, float], None]:
        clock = time.perf_counter()

        def after(step: int, loss: float) -> None:
            nonlocal clock
            now = time.perf_counter()
            self.durations.append(now - clock)
            clock = now
            self.losses.append(loss)
            on_step(self)
            if asked:
                raise Interrupted(signal.Signals(asked[0]).name)

        return after

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        preset = self.preset
        floor = preset.floor * preset.peak
        return self.parts["k12"].learning_rate(
            step, peak=preset.peak, warmup=preset.warmup, total=preset.steps, floor=floor
        )

    def evaluate(self) -> float:
        """Measure the validation loss, every non-overlapping window once, and keep the best model apart."""
        loss = self.parts["k12"].evaluate(self.model, self.validation, self.preset.context_length, BATCH)
        better = loss < self.best
        self.evaluations.append((self.step, loss))
        if better:
            self._try(lambda: self._checkpoint("best.pt"))
        return loss

    def save(self) -> None:
        """Save what a resumed run needs. When it cannot be written, say so and go on: the old files stay whole."""
        self._try(self._save)

    def _save(self) -> None:
        # The history first: what it holds beyond the checkpoint's step is cut off when the run is resumed.
        history = {
            "preset": self.preset.name,
            "parts": self.whose,
            "vocabulary": "".join(sorted(set(self.corpus.text))),
            "floor": self.corpus.floor,
            "losses": self.losses,
            "evaluations": self.evaluations,
        }
        write_whole(self.folder / "history.json", json.dumps(history))
        self._checkpoint("last.pt")

    def _checkpoint(self, name: str) -> None:
        self.parts["k14"].save_checkpoint(self.folder / name, self.model, self.optimizer, self.step, self.generator)

    def _try(self, write: Callable[[], None]) -> None:
        before, self.unsaved = self.unsaved, ""
        try:
            write()
        except (OSError, RuntimeError) as error:  # torch turns a full disk into a RuntimeError
            self.unsaved = getattr(error, "strerror", None) or str(error).split("\n")[0]
            if self.unsaved != before and self.step:
                self.say(f"Could not save at step {self.step}: {self.unsaved}. The run goes on and tries again.")

    def finish(self) -> str:
        """Draw the curve, write a sample with the best model and draw its attention; returns the sample."""
        self.parts["k14"].load_checkpoint(self.folder / "best.pt", self.model)
        generator = torch.Generator().manual_seed(self.preset.seed)
        text = continue_text(self.parts, self.model, self.tokenizer, "\n", SAMPLED, self.preset, generator)
        write_whole(self.folder / "sample.txt", text)
        title = f"{self.preset.name}: {self.step} steps, best validation loss {self.best:.3f}"
        loss_curve(self.folder / "loss.png", self.losses, self.evaluations, self.corpus.floor, title)
        seen = text[: min(LOOKED_AT, self.preset.context_length)]
        maps = self.parts["k15"].attention_weights(self.model, torch.tensor([self.tokenizer.encode(seen)]))
        title = f"{self.preset.name}: where each character looks"
        attention_maps(self.folder / "attention.png", maps[:, 0], list(seen), self.parts["k15"].plot_attention, title)
        return text

    @property
    def median_step(self) -> float:
        """The median duration of the steps taken in this process, in seconds."""
        return statistics.median(self.durations) if self.durations else float("nan")


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """The signals that asked to stop, while this lasts; the first is only noted, so that a step is never cut in two."""
    asked: list[int] = []
    before = {
        name: signal.signal(name, lambda number, frame: asked.append(number))
        for name in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
