"""The verbs around the real thing: `data` fetches texts and models, `sample` lets the trained GPT write."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import torch
from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from ..gpt import download
from ..gpt.pretrained import MODELS
from ..gpt.trained import NotTrained, latest
from ..learner.session import Session
from ..system import data_files
from ..system.command import command
from ..system.console import console, progress_bar, warn
from ..system.data_files import DataError, Source

INTERRUPTED = 130


@click.command()
@click.option("--weights", default="", help="`gpt2` or `smollm2`: a published model, of 548 and of 93 million bytes.")
def data(weights: str) -> None:
    """Fetch Shakespeare and GPT-2's vocabulary, or a published model.

    They come from the folder DOJO_MIRROR where that is set, else from the network.
    """
    if weights not in ("", *MODELS):
        warn(f"WEIGHTS is {' or '.join(MODELS)}: {command('data', WEIGHTS='gpt2')}")
        raise SystemExit(2)
    listed = data_files.sources(weights=weights)
    if weights == "gpt2":
        listed["encoder.json"] = data_files.sources()["encoder.json"]  # its tokens
    failed = 0
    for source in listed.values():
        try:
            path = _fetch(source)
        except DataError as error:
            failed = 1
            console.print(Text(str(error), "red"), soft_wrap=bool(weights))
        except KeyboardInterrupt:
            console.print(f"Stopped. Go on with: {source.again}")
            raise SystemExit(INTERRUPTED) from None
        else:
            console.print(f"{path.name}: {path.stat().st_size:,} bytes, checked")
    raise SystemExit(failed)


def _fetch(source: Source) -> Path:
    columns = source.name, BarColumn(), DownloadColumn(), TransferSpeedColumn(), "left", TimeRemainingColumn()
    with progress_bar(*columns, transient=True) as bar:
        task = bar.add_task("", total=source.size, visible=False)
        return download.fetch(source, on_bytes=lambda have: bar.update(task, completed=have, visible=True))


@click.command()
@click.option("--prompt", default="", help="What the text begins with.")
@click.option("--preset", "--run", default="", help="Of which run; else the latest.")
@click.option("--characters", default=400, type=click.IntRange(min=1), help="How many to write, or tokens.")
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
