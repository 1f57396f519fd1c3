"""The verb that looks over training runs: `runs`. No torch here."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from ..gpt.runs import FILE, HEADS, History, cells, is_under_way, read_runs
from ..system.command import command
from ..system.console import console, count, warn
from ..system.root import find_root


@click.command()
@click.option("--clean", default="", help="Remove the run of this name; it asks first.")
def runs(clean: str) -> None:
    """List your training runs: text, size, steps, loss, time."""
    root = find_root()
    if clean:
        raise SystemExit(_remove(root / "runs", clean))
    histories = read_runs(root, warn)
    if not histories:
        console.print(f"There are no runs yet. Begin with: {command('train')}")
        return
    table = Table(*HEADS, box=None, pad_edge=False)
    for column in table.columns[2:6]:
        column.justify = "right"
    for history in histories:
        table.add_row(*cells(root, history))
    console.print(table)
    console.print(f"Each has its curve, sample and checkpoints in runs/. To use one: {command('sample', RUN='NAME')}")


def _remove(folder: Path, name: str) -> int:
    """Remove a run, once that is confirmed; the exit status."""
    run = folder / name
    if run.parent != folder or not (run / FILE).is_file():
        warn(f"There is no run {name}. The runs: {command('runs')}")
        return 2
    if is_under_way(run):
        warn(f"{name} is under way. Stop it first, with Ctrl-C where it runs.")
        return 1
    try:
        steps = count(len(History.read(run).losses), "step")
    except (OSError, ValueError, KeyError, TypeError):
        steps = "a damaged history"
    if not click.confirm(f"Remove runs/{name}, with its checkpoints, curve and sample ({steps})?"):
        console.print("Nothing was removed.")
        return 1
    try:
        shutil.rmtree(run)
    except OSError as error:
        console.print(Text(f"runs/{name} could not be removed: {error.strerror}.", "red"))
        return 1
    console.print(f"runs/{name} is removed.")
    return 0
