"""The verbs around the real thing: fetch data, train the GPT, let it write."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, TimeRemainingColumn
from rich.text import Text

from ..curriculum.catalog import Catalog
from ..gpt import download
from ..gpt.model import parts
from ..gpt.presets import PRESETS
from ..gpt.trained import NotTrained, latest
from ..gpt.training import Interrupted, Run, TrainingError
from ..system import data_files
from ..system.console import progress_bar
from ..system.data_files import DataError

EXIT = {"SIGINT": 130, "SIGTERM": 143}


def fetch(console: Console) -> int:
    """Fetch every file of data/sources.toml; the exit status is 1 if one of them could not be had."""
    failed = 0
    for source in data_files.sources().values():
        try:
            path = download.fetch(source)
        except DataError as error:
            failed = 1
            console.print(Text(str(error), "red"))
        else:
            console.print(f"{path.name}: {path.stat().st_size:,} bytes, checked")
    return failed


def train(catalog: Catalog, solved: frozenset[str], name: str, resume: bool, console: Console) -> int:
    """Train a preset and show what came of it; the exit status."""
    modules, whose = parts(catalog, solved)
    folder = catalog.root / "runs" / name
    run = Run(PRESETS[name], folder, modules, whose, lambda line: console.print(Text(line, "yellow")))
    try:
        run.prepare()
        run.resume() if resume else run.begin()
    except (TrainingError, DataError) as error:
        console.print(Text(str(error), "red"))
        return 1
    _introduce(run, catalog, console)
    try:
        _with_bar(run, console)
    except Interrupted as stopped:
        if run.unsaved:
            console.print(
                f"Stopped at step {run.step}. The checkpoint on disk is an earlier one: RESUME=1 goes on from there."
            )
        else:
            console.print(f"Stopped at step {run.step}, and saved. Go on with: make train PRESET={name} RESUME=1")
        return EXIT.get(str(stopped), 1)
    return _conclude(run, console)


def sample(
    catalog: Catalog,
    solved: frozenset[str],
    prompt: str,
    name: str,
    characters: int,
    seed: int | None,
    count: int,
    console: Console,
) -> int:
    """Print the prompt and what the best model of a run writes after it, `count` times; the exit status.

    A single text is shown as it is written, several when they are done.
    """
    try:
        gpt = latest(catalog, solved, name)
    except NotTrained as error:
        console.print(Text(str(error), "red"))
        return 1
    generator = torch.Generator()
    generator.manual_seed(seed) if seed is not None else generator.seed()
    prompt = prompt or "\n"
    try:
        columns = gpt.stream(prompt, characters, generator, count)
    except ValueError as error:
        only = "The model knows only the characters it was trained on."
        console.print(Text(f"The prompt cannot be continued: {error}. {only}", "red"))
        return 2
    _show(columns, prompt, count)
    return 0


def _show(columns: Iterator[list[str]], prompt: str, count: int) -> None:
    """Print texts that come in character by character: a single one at once, on a terminal, several one by one."""
    if count == 1:
        print(prompt, end="")
        for (character,) in columns:
            print(character, end="", flush=sys.stdout.isatty())
        print()
        return
    for number, rest in enumerate(zip(*columns), start=1):
        print(f"--- {number} of {count}\n{prompt}{''.join(rest)}")


def _introduce(run: Run, catalog: Catalog, console: Console) -> None:
    preset, model = run.preset, run.model
    count = run.parts["k10"].count_parameters(model)
    console.print(
        f"{preset.name}: {len(run.corpus.text):,} characters, {preset.num_layers} layers, {preset.num_heads} heads, "
        f"width {preset.emb_dim}, context {preset.context_length}, {count:,} parameters, "
        f"{preset.steps:,} steps of {preset.batch_size} windows"
    )
    titles = {kata.code: kata.title for kata in catalog.katas}
    yours = [f"{code} {titles[code]}" for code, owner in run.whose.items() if owner != "reference"]
    theirs = [code for code, owner in run.whose.items() if owner == "reference"]
    if not yours:
        console.print("Every part of it is the reference's.")
    elif theirs:
        console.print(f"Yours: {', '.join(yours)}\nThe reference's: {', '.join(theirs)}")
    else:
        console.print("Every part of it is yours.")


def _with_bar(run: Run, console: Console) -> None:
    columns = (
        "step {task.completed} of {task.total}",
        BarColumn(),
        "loss {task.fields[loss]:.3f} · {task.fields[rate]:,.0f} tokens/s · left",
        TimeRemainingColumn(),
    )
    tokens = run.preset.batch_size * run.preset.context_length
    reported = len(run.evaluations)
    with progress_bar(*columns, on=console) as bar:
        task = bar.add_task("", total=run.preset.steps, completed=run.step, loss=math.nan, rate=0.0)

        def on_step(run: Run) -> None:
            nonlocal reported
            recent = run.durations[-20:]
            bar.update(task, completed=run.step, loss=run.losses[-1], rate=tokens * len(recent) / sum(recent))
            for step, loss in run.evaluations[reported:]:
                console.print(f"step {step:>5}  validation loss {loss:.4f}")
            reported = len(run.evaluations)

        run.train(on_step)


def _conclude(run: Run, console: Console) -> int:
    from ..figures.run import draw  # it takes half a second to import, and nobody waits for it before

    try:
        text = run.finish()
        draw(run, text)
    except OSError as error:
        console.print(Text(f"The results could not be written: {error.strerror}. Make room, then: RESUME=1", "red"))
        return 1
    loss = run.evaluations[-1][1]
    console.print(f"\n{text}\n", markup=False)
    console.print(
        f"validation loss {loss:.4f} nats a character, perplexity {run.parts['k11'].perplexity(loss):.3f}", style="bold"
    )
    if run.corpus.floor is not None:
        console.print(f"the floor of this corpus is {run.corpus.floor:.4f}: {loss - run.corpus.floor:.4f} above it")
    if run.durations:
        console.print(f"median step {1000 * run.median_step:.1f} ms, {torch.get_num_threads()} threads")
    console.print(
        f"best validation loss {run.best:.4f}; curve, sample, attention and checkpoints are in {_from_here(run.folder)}"
    )
    if run.unsaved:
        console.print(Text(f"The last checkpoint could not be saved: {run.unsaved}.", "red"))
        return 1
    return 0


def _from_here(path: Path) -> str:
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)
