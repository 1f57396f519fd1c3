"""A trained GPT to look at: the graduation run's, or the reference's parts, trained for some seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from ..curriculum.catalog import Catalog
from . import corpus
from .presets import PRESETS, Preset, build_model, continue_text, parts
from .training import Run

# Small, so that a minute of a slow machine is enough to see its heads take sides.
QUICK = Preset(
    "reference", corpus.verona, context_length=64, batch_size=12, steps=600, peak=5e-3, emb_dim=64, num_layers=2
)
SECONDS = 20  # that the quick training may take


class NotTrained(Exception):
    """There is no trained model that can be used; the message says why, and what to do."""


@dataclass(frozen=True)
class Trained:
    """A trained model and what it takes to use it."""

    origin: str  # in words: which model this is
    parts: dict[str, ModuleType]
    preset: Preset
    tokenizer: Any
    model: torch.nn.Module

    def write(self, prompt: str, characters: int, generator: torch.Generator, temperature: float = 0.8) -> str:
        """The prompt and what the model writes after it. Raises ValueError for a character it does not know."""
        return continue_text(
            self.parts, self.model, self.tokenizer, prompt, characters, self.preset, generator, temperature
        )


def latest(catalog: Catalog, solved: frozenset[str], name: str = "") -> Trained:
    """The best model of the latest graduation run, or of the run of preset `name`. Raises NotTrained."""
    found = finished(catalog.root, name)
    if not found:
        raise NotTrained("No trained model is at hand. Train one: make train")
    return load(catalog, solved, max(found, key=lambda folder: (folder / "best.pt").stat().st_mtime))


def finished(root: Path, name: str = "") -> list[Path]:
    """The folders of the graduation runs, or of the one of preset `name`, that hold a model."""
    folders = [root / "runs" / preset for preset in ([name] if name else PRESETS)]
    return [folder for folder in folders if (folder / "best.pt").is_file()]


def load(catalog: Catalog, solved: frozenset[str], folder: Path) -> Trained:
    """The best model of the run in a folder. Raises NotTrained where it is damaged or of other code."""
    try:
        history = json.loads((folder / "history.json").read_text(encoding="utf-8"))
        preset, vocabulary = (PRESETS | {QUICK.name: QUICK})[history["preset"]], history["vocabulary"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotTrained(f"The run in {folder} cannot be used: its history.json is damaged ({error!r}).") from None
    modules, _ = parts(catalog, solved)
    try:
        tokenizer = modules["k01"].CharTokenizer(vocabulary)
        model = build_model(modules, preset, tokenizer.vocab_size)
        step = modules["k14"].load_checkpoint(folder / "best.pt", model)
    except Exception as error:  # a checkpoint of other code, or whatever a learner's own parts raise
        raise NotTrained(f"The run in {folder} cannot be used: {error}") from None
    return Trained(_origin(preset, step), modules, preset, tokenizer, model)


def kept_reference(catalog: Catalog) -> Trained:
    """The reference as `train_reference` left it. Raises NotTrained."""
    return load(catalog, frozenset(), _folder(catalog))


def train_reference(
    catalog: Catalog, on_step: Callable[[Run], None], seconds: float = SECONDS, preset: Preset = QUICK
) -> Trained:
    """Train the reference until its steps or the seconds are used up, and keep it in `.dojo` where that can be written.

    Raises Interrupted when a signal asks to stop.
    """
    run = Run(preset, _folder(catalog), *parts(catalog, frozenset()), say=lambda text: None)
    run.prepare()
    end = time.monotonic() + seconds

    def after(run: Run) -> None:
        on_step(run)
        if run.step == preset.steps or time.monotonic() > end:
            raise _Enough

    try:
        run.train(after)
    except _Enough:
        _keep(run)
    return Trained(_origin(preset, run.step), run.parts, preset, run.tokenizer, run.model)


class _Enough(Exception):
    """The training has taken what it may."""


def _keep(run: Run) -> None:
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        run.save()
        (run.folder / "last.pt").replace(run.folder / "best.pt")
    except OSError:
        pass  # then it is trained anew the next time


def _folder(catalog: Catalog) -> Path:
    return catalog.root / ".dojo" / "reference"


def _origin(preset: Preset, step: int) -> str:
    if preset.name == QUICK.name:
        return f"the reference after {step} steps on the embedded corpus"
    return f"the run {preset.name}, best at step {step}"
