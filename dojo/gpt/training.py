"""The graduation run: train a GPT made of the katas' parts, the learner's own where they are solved."""

from __future__ import annotations

import functools
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import torch

from ..system.command import command
from ..system.files import write_whole
from ..system.processes import on_signals
from . import processes
from .encoded import Encoded, encode_corpus
from .engine import Engine, train_in_parts
from .gradients import Alone, together
from .model import GPT, Parts, add_lora, build_model
from .presets import Preset
from .runs import History, begun, lowest

SAMPLED = 400  # characters of the sample at the end
BATCH = 64  # windows that are evaluated together, at most
SCORES = 20_000_000  # that an evaluation computes together, about


class TrainingError(Exception):
    """A run that cannot start or go on; the message says what to do."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM: the run stops after the step it is in."""


class Enough(Exception):
    """Raised after a step or in an evaluation: the run ends there, as if that were its last step."""


@dataclass
class Run:
    """One run in its folder: last.pt, best.pt, history.json and, at its end, sample.txt."""

    preset: Preset
    folder: Path
    parts: Parts
    whose: dict[str, str]  # whose each part is, see `parts`
    say: Callable[[str], None] = print
    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)  # seconds of each step of this process
    unsaved: str = ""  # why the last attempt to save failed
    engine: Engine = Engine()
    before: float = 0.0  # seconds of the steps that other processes took
    base: GPT | None = None  # the trained model that it goes on from
    origin: str = ""  # its name
    lora: int = 0  # the rank of what is trained beside the weights; 0 where the weights are

    def prepare(self, encode: Callable[[Parts], Encoded] | None = None) -> None:
        """Load the text, the preset's where `encode` gives no other, and build the model with what trains it."""
        preset = self.preset
        if encode is None and preset.corpus is None:
            raise TrainingError(f"PRESET={preset.name} trains on a text of your own: TEXT=path, a file or a folder.")
        self.data = encode(self.parts) if encode else encode_corpus(cast(Any, preset.corpus)(), self.parts)
        self.train_data = self.engine.move(self.data.train)
        self.validation = self.engine.move(self.data.validation)
        torch.manual_seed(preset.seed)
        self.generator = torch.Generator().manual_seed(preset.seed)
        self.model = self.engine.put(self._built())
        self.computed = self.engine.compile(self.model)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        decay, rest = [p for p in trained if p.ndim >= 2], [p for p in trained if p.ndim < 2]
        groups = [{"params": decay, "weight_decay": preset.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=preset.peak, betas=preset.betas, fused=True)  # one call a step

    def _built(self) -> torch.nn.Module:
        """The model as it begins: drawn at random, or as it was trained before; with LoRA beside its layers."""
        if self.base:
            model = self.base.model.requires_grad_(True)  # LoRA freezes, and what was merged since is frozen still
        else:
            model = build_model(self.parts, self.preset, self.data.tokenizer.vocab_size)
        if self.lora:
            try:
                add_lora(self.parts, model, self.lora)
            except ValueError as error:
                raise TrainingError(f"LORA={self.lora} does not do: {error}.") from None
        return model

    def begin(self) -> None:
        """Make the folder and save step 0. Raises TrainingError when that cannot be written."""
        if any((self.folder / name).is_file() for name in ("best.pt", "last.pt")) and begun(self.folder):
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

    def resume(self, folder: Path | None = None) -> None:
        """Go on from last.pt, or from that in another `folder`.

        Raises TrainingError when there is none or it belongs to other code.
        """
        folder = folder or self.folder
        try:
            history = History.read(folder)
            step = self.parts["k14"].load_checkpoint(folder / "last.pt", self.model, self.optimizer, self.generator)
        except FileNotFoundError:
            raise TrainingError(f"There is no run to resume in {self.folder}. Start one: {command('train')}") from None
        except (ValueError, KeyError, TypeError, self.parts["k14"].CheckpointError) as error:
            raise TrainingError(f"The run in {self.folder} cannot be resumed: {error}") from None
        changed = sorted(code for code, owner in self.whose.items() if history.parts.get(code, owner) != owner)
        if changed:
            names = ", ".join(changed)
            raise TrainingError(f"This run was begun with other code for {names}. Start a new one, without RESUME.")
        if history.source not in ("", self.data.source):
            raise TrainingError(
                f"This run was begun on another text, {history.source}. Start a new one, without RESUME."
            )
        self.before = history.seconds
        self.losses = history.losses[:step]
        self.evaluations = [(at, loss) for at, loss in history.evaluations if at <= step]

    @property
    def step(self) -> int:
        """How many steps have been taken."""
        return len(self.losses)

    @property
    def best(self) -> float:
        """The lowest validation loss so far."""
        return lowest(self.evaluations)

    @property
    def history(self) -> History:
        """The run as it now stands, without its model."""
        data, parameters = self.data, sum(each.numel() for each in self.model.parameters())
        begun_with = (self.folder.name, self.preset.name, self.whose, data.vocabulary, data.floor)
        computed = (parameters, self.engine.device, self.before + sum(self.durations), self.preset.steps)
        started = (self.preset.sizes, self.origin, self.lora, self.engine.parallel)
        history = History(*begun_with, self.losses, self.evaluations, data.source, data.kind, *computed, *started)
        return replace(history, text=data.title)

    def train(self, on_step: Callable[[Run], None] = lambda run: None) -> None:
        """Train to the end, or to Enough. Raises Interrupted, with everything saved, when a signal asks to stop."""
        preset = self.preset
        asked: list[int] = []  # the signals that asked to stop; noted only, so that a step is never cut in two
        with on_signals(("SIGINT", "SIGTERM"), lambda number, frame: asked.append(number)), suppress(Enough):
            self._evaluate_if_due()
            while self.step < preset.steps:
                start = self.step
                try:
                    self._train(
                        self.computed,
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
                except torch.OutOfMemoryError:
                    parts = 2 * self.engine.accumulate
                    problem = f"The memory of {self.engine.device} does not do. ACCUMULATE={parts} takes about half."
                    raise TrainingError(problem) from None
                self._evaluate_if_due()

    @property
    def _train(self) -> Callable[..., object]:
        """The learner's loop; where a batch is taken in parts, one that does the same with their steps."""
        if self.engine.accumulate == self.engine.workers == 1:
            return cast(Callable[..., object], self.parts["k12"].train)
        return functools.partial(train_in_parts, self.parts, self.engine.accumulate, self._group)

    @functools.cached_property
    def _group(self) -> Alone:
        return together(self.computed, self.parts, self.engine.device, self.engine.parallel)

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
            if processes.mean(len(asked), self.engine.device):  # of all processes, so that all stop at the same step
                raise Interrupted(signal.Signals(asked[0] if asked else signal.SIGTERM).name)

        return after

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        preset, learning_rate = self.preset, self.parts["k12"].learning_rate
        floor = preset.floor * preset.peak
        return learning_rate(step, peak=preset.peak, warmup=preset.warmup, total=preset.steps, floor=floor)

    def evaluate(self) -> float:
        """Measure the validation loss, every non-overlapping window once, and keep the best model apart."""
        context = self.preset.context_length
        words = self.preset.vocab_size or self.data.tokenizer.vocab_size
        together = max(1, min(BATCH, SCORES // (context * words)))  # 64 windows of GPT-2's tokens would take gigabytes
        loss: float = self.parts["k12"].evaluate(self.model, self.validation, context, together)
        better = loss < self.best
        self.evaluations.append((self.step, loss))
        if better:
            self._try(lambda: self._checkpoint("best.pt"))
        return loss

    def save(self) -> None:
        """Save what a resumed run needs. When it cannot be written, say so and go on: the old files stay whole.

        Of several processes the first alone writes.
        """
        self._try(self._save)

    def _save(self) -> None:
        # The history first: what it holds beyond the checkpoint's step is cut off when the run is resumed.
        self.history.write(self.folder)
        self._checkpoint("last.pt")

    def _checkpoint(self, name: str) -> None:
        self.parts["k14"].save_checkpoint(self.folder / name, self.model, self.optimizer, self.step, self.generator)

    def _try(self, write: Callable[[], None]) -> None:
        if processes.rank():
            return
        before, self.unsaved = self.unsaved, ""
        try:
            write()
        except (OSError, RuntimeError) as error:  # torch turns a full disk into a RuntimeError
            self.unsaved = getattr(error, "strerror", None) or str(error).split("\n")[0]
            if self.unsaved != before and self.step:
                self.say(f"Could not save at step {self.step}: {self.unsaved}. The run goes on and tries again.")

    def finish(self) -> str:
        """Load the best model and write a sample with it; returns the sample. Raises OSError."""
        self.model.to("cpu")  # where the generator is; a model in bfloat16 writes as it was trained
        self.parts["k14"].load_checkpoint(self.folder / "best.pt", self.model)
        if self.lora:
            self.parts["k23"].merge(self.model)
        text = self.gpt.write("\n", SAMPLED, torch.Generator().manual_seed(self.preset.seed))
        write_whole(self.folder / "sample.txt", text)
        return text

    @property
    def gpt(self) -> GPT:
        """The model as it now stands, to be used."""
        named = f"the run {self.folder.name}"
        tokens = self.data.kind, self.data.vocabulary
        return GPT(named, self.parts, self.preset, self.data.tokenizer, self.model, *tokens)

    @property
    def median_step(self) -> float:
        """The median duration of the steps taken in this process, in seconds."""
        return statistics.median(self.durations) if self.durations else float("nan")
