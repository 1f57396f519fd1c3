"""The verbs around the real thing: `data` fetches texts, `train` trains the GPT, `sample` lets it write."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import torch
from rich.progress import BarColumn, TimeRemainingColumn
from rich.text import Text

from ..gpt import download
from ..gpt.model import parts
from ..gpt.presets import PRESETS
from ..gpt.trained import NotTrained, latest
from ..gpt.training import Interrupted, Run, TrainingError
from ..learner.session import Session
from ..system import data_files
from ..system.console import command, console, every, progress_bar, warn
from ..system.data_files import DataError

LINE_EVERY = 20.0  # seconds between the lines of a run that no terminal shows
EXIT = {"SIGINT": 130, "SIGTERM": 143}


@click.command()
def data() -> None:
    """Fetch Shakespeare and GPT-2's vocabulary.

    They come from the folder DOJO_MIRROR where that is set, else from the network.
    """
    failed = 0
    for source in data_files.sources().values():
        try:
            path = download.fetch(source)
        except DataError as error:
            failed = 1
            console.print(Text(str(error), "red"))
        else:
            console.print(f"{path.name}: {path.stat().st_size:,} bytes, checked")
    raise SystemExit(failed)


@click.command()
@click.argument("preset", default="verona")
@click.option("--impl", default="yours", help="`solutions`: the reference's parts alone.")
@click.option("--resume", is_flag=True, help="Go on where the last run stopped.")
def train(preset: str, impl: str, resume: bool) -> None:
    """Train a GPT made of your own parts.

    Where a kata is not solved yet the reference's part takes its place.
    """
    session = Session()
    if preset not in PRESETS or impl not in ("yours", "solutions"):
        warn(f"PRESET is one of {', '.join(PRESETS)}; IMPL is yours or solutions.")
        raise SystemExit(2)
    raise SystemExit(train_preset(session, preset, impl, resume))


@click.command()
@click.option("--prompt", default="", help="What the text begins with.")
@click.option("--preset", default="", help="Of which run; else the latest.")
@click.option("--characters", default=400, type=click.IntRange(min=1), help="How many to write.")
@click.option("--seed", type=int, help="The same seed writes the same text.")
@click.option("--count", default=1, type=click.IntRange(min=1), help="How many texts, written side by side.")
def sample(prompt: str, preset: str, characters: int, seed: int | None, count: int) -> None:
    """Let the trained GPT continue a text."""
    session = Session()
    try:
        gpt = latest(session.catalog, session.progress.solved(session.catalog), preset)
    except NotTrained as error:
        console.print(Text(str(error), "red"))
        raise SystemExit(1) from None
    generator = torch.Generator()
    generator.manual_seed(seed) if seed is not None else generator.seed()
    prompt = prompt or "\n"
    try:
        columns = gpt.stream(prompt, characters, generator, count)
    except ValueError as error:
        problem = f"The prompt cannot be continued: {error}. The model knows only the characters it was trained on."
        console.print(Text(problem, "red"))
        raise SystemExit(2) from None
    _show(columns, prompt, count)


def train_preset(session: Session, name: str = "verona", impl: str = "yours", resume: bool = False) -> int:
    """Train a preset and show what came of it; the exit status."""
    modules, whose = parts(
        session.catalog, session.progress.solved(session.catalog) if impl == "yours" else frozenset()
    )
    folder = session.root / "runs" / name
    run = Run(PRESETS[name], folder, modules, whose, lambda line: console.print(Text(line, "yellow")))
    try:
        run.prepare()
        run.resume() if resume else run.begin()
    except (TrainingError, DataError) as error:
        console.print(Text(str(error), "red"))
        return 1
    _introduce(run, session)
    again = command("train", "preset", preset=name, impl="" if impl == "yours" else impl, resume=True)
    try:
        _with_bar(run)
    except Interrupted as stopped:
        saved = "The checkpoint on disk is an earlier one." if run.unsaved else "It is saved."
        console.print(f"Stopped at step {run.step}. {saved} Go on with: {again}", soft_wrap=True)
        return EXIT.get(str(stopped), 1)
    return _conclude(run, again)


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


def _introduce(run: Run, session: Session) -> None:
    preset, model = run.preset, run.model
    count = run.parts["k10"].count_parameters(model)
    console.print(
        f"{preset.name}: {len(run.corpus.text):,} characters, {preset.num_layers} layers, {preset.num_heads} heads, "
        f"width {preset.emb_dim}, context {preset.context_length}, {count:,} parameters, "
        f"{preset.steps:,} steps of {preset.batch_size} windows"
    )
    titles = {kata.code: kata.title for kata in session.catalog.katas}
    yours = [f"{code} {titles[code]}" for code, owner in run.whose.items() if owner != "reference"]
    theirs = [code for code, owner in run.whose.items() if owner == "reference"]
    if not yours:
        console.print("Every part of it is the reference's.")
    elif theirs:
        console.print(f"Yours: {', '.join(yours)}\nThe reference's: {', '.join(theirs)}")
    else:
        console.print("Every part of it is yours.")


def _with_bar(run: Run) -> None:
    columns = (
        "step {task.completed} of {task.total}",
        BarColumn(),
        "loss {task.fields[loss]:.3f} · {task.fields[rate]:,.0f} tokens/s · left",
        TimeRemainingColumn(),
    )
    tokens = run.preset.batch_size * run.preset.context_length
    reported, now_and_then = len(run.evaluations), every(LINE_EVERY)
    with progress_bar(*columns) as bar:
        task = bar.add_task("", total=run.preset.steps, completed=run.step, loss=math.nan, rate=0.0)

        def on_step(run: Run) -> None:
            nonlocal reported
            recent = run.durations[-20:]
            rate = tokens * len(recent) / sum(recent)
            bar.update(task, completed=run.step, loss=run.losses[-1], rate=rate)
            if bar.disable and now_and_then():
                left = round((run.preset.steps - run.step) * run.median_step)
                console.print(
                    f"step {run.step:>5} of {run.preset.steps}  loss {run.losses[-1]:.3f} · {rate:,.0f} tokens/s · "
                    f"left {timedelta(seconds=left)}"
                )
            for step, loss in run.evaluations[reported:]:
                console.print(f"step {step:>5}  validation loss {loss:.4f}")
            reported = len(run.evaluations)

        run.train(on_step)


def _conclude(run: Run, again: str) -> int:
    from ..figures.run import draw  # it takes half a second to import, and nobody waits for it before

    try:
        text = run.finish()
        draw(run, text)
    except OSError as error:
        problem = f"The results could not be written: {error.strerror}. Make room, then: {again}"
        console.print(Text(problem, "red"), soft_wrap=True)
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
    here, folder = Path.cwd(), run.folder
    where = folder.relative_to(here).as_posix() if folder.is_relative_to(here) else str(folder)
    console.print(f"best validation loss {run.best:.4f}; curve, sample, attention and checkpoints are in {where}")
    if run.unsaved:
        console.print(Text(f"The last checkpoint could not be saved: {run.unsaved}.", "red"))
        return 1
    return 0
