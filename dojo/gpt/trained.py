"""A trained GPT to look at: the graduation run's, or the reference's parts, trained for some seconds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from ..curriculum.catalog import Catalog
from ..system.command import command
from . import corpus
from .model import GPT, Parts, add_lora, build_model, parts
from .presets import PRESETS, Preset
from .runs import FILE, History, begun
from .tokens import tokenizer
from .training import Enough, Run

# Small, so that a minute of a slow machine is enough to see its heads take sides.
QUICK = Preset(
    "reference", corpus.verona, context_length=64, batch_size=12, steps=600, peak=5e-3, emb_dim=64, num_layers=2
)
SECONDS = 20  # that the quick training may take


class NotTrained(Exception):
    """There is no trained model that can be used; the message says why, and what to do."""


def latest(catalog: Catalog, solved: frozenset[str], name: str = "") -> GPT:
    """The model of the latest graduation run, or of the run `name`. Raises NotTrained."""
    folders = finished(catalog.root, name)
    if not folders:
        missing = f"The run {name} has no trained model." if name else "No trained model is at hand."
        raise NotTrained(f"{missing} Train one: {command('train')}")
    return load(catalog, solved, max(folders, key=lambda folder: checkpoint_of(folder).stat().st_mtime))


def finished(root: Path, name: str = "") -> list[Path]:
    """The folders of the graduation runs, or of the run `name`, that hold a model which has learned something."""
    folders = [root / "runs" / name] if name else [path.parent for path in (root / "runs").glob(f"*/{FILE}")]
    return [folder for folder in folders if checkpoint_of(folder).is_file() and begun(folder)]


def checkpoint_of(folder: Path) -> Path:
    """The checkpoint to sample from: the best, or the last where a run was stopped before its first evaluation."""
    best = folder / "best.pt"
    return best if best.is_file() else folder / "last.pt"


def load(catalog: Catalog, solved: frozenset[str], folder: Path) -> GPT:
    """The model of the run in a folder. Raises NotTrained where it is damaged or of other code."""
    return restore(parts(catalog, solved)[0], folder)


def restore(modules: Parts, folder: Path) -> GPT:
    """The model of the run in a folder, of these parts. Raises NotTrained where it is damaged or of other code."""
    try:
        history = History.read(folder)
        preset = (PRESETS | {QUICK.name: QUICK})[history.preset].of_sizes(history.sizes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotTrained(f"The run in {folder} cannot be used: its history.json is damaged ({error!r}).") from None
    try:
        own = tokenizer(modules, history.kind, history.vocabulary)
        model = build_model(modules, preset, own.vocab_size)
        if history.lora:
            add_lora(modules, model, history.lora)
        step = modules["k14"].load_checkpoint(checkpoint_of(folder), model)
        if history.lora:
            modules["k23"].merge(model)
    except Exception as error:  # a checkpoint of other code, or whatever a learner's own parts raise
        raise NotTrained(f"The run in {folder} cannot be used: {error}") from None
    origin = _origin(folder.name, step, checkpoint_of(folder).stem)
    return GPT(origin, modules, preset, own, model, history.kind, history.vocabulary)


def kept_reference(catalog: Catalog) -> GPT:
    """The reference as `train_reference` left it. Raises NotTrained."""
    return load(catalog, frozenset(), _folder(catalog))


def train_reference(
    catalog: Catalog, on_step: Callable[[Run], None], seconds: float = SECONDS, preset: Preset = QUICK
) -> GPT:
    """Train the reference until its steps or the seconds are used up, and keep it in `.dojo` where that can be written.

    Raises Interrupted when a signal asks to stop.
    """
    run = Run(preset, _folder(catalog), *parts(catalog, frozenset()), say=lambda text: None)
    run.prepare()
    end = time.monotonic() + seconds

    def after(run: Run) -> None:
        on_step(run)
        if run.step == preset.steps or time.monotonic() > end:
            raise Enough

    run.train(after)
    _keep(run)
    return GPT(_origin(preset.name, run.step), run.parts, preset, run.data.tokenizer, run.model)


def _keep(run: Run) -> None:
    with contextlib.suppress(OSError):  # then it is trained anew the next time
        run.folder.mkdir(parents=True, exist_ok=True)
        run.save()
        (run.folder / "last.pt").replace(run.folder / "best.pt")


def _folder(catalog: Catalog) -> Path:
    return catalog.root / ".dojo" / "reference"


def _origin(name: str, step: int, which: str = "best") -> str:
    if name == QUICK.name:
        return f"the reference after {step} steps on the embedded corpus"
    return f"the run {name}, {which} at step {step}"
