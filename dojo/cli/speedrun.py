"""The verbs of the speedrun: `speedrun` judges a submission, `ablate` takes the record's tricks away. No torch here."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import click

from ..learner.session import Session
from ..speedrun import rules
from ..system.console import console, warn

RECORD = Path("solutions") / "speedrun" / "record.py"


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--target", default=rules.TARGET, help="The loss to reach, in nats a character.")
@click.option("--seeds", default=rules.SEEDS, type=click.IntRange(min=1), help="Fewer than three is no record.")
@click.option("--against", default="", help="Another program, as one types it in a shell: run in turn with this one.")
@click.option("--pairs", default=rules.SEEDS, type=click.IntRange(min=1), help="How often each is run.")
@click.option("--device", default="cpu", help="cpu, cuda or mps.")
@click.option("--record", is_flag=True, help="Keep the results in data/benchmarks too.")
@click.option("--rules", "show", is_flag=True, help="Only list the rules.")
def speedrun(file: Path | None, show: bool, **asked: Any) -> None:
    """Judge a submission to the speedrun, else the record: train to a validation loss as fast as two threads can."""
    if show:
        for name, rule in rules.RULES.items():
            console.print(f"{name}: {rule}", soft_wrap=True)
        return
    session = Session()
    path = file or session.root / RECORD
    if not path.is_file():
        warn(f"There is no file {path}. What a submission is: {RECORD.parent / 'README.md'}")
        raise SystemExit(2)
    from ..speedrun import race as races

    raise SystemExit(races.run(path, session.root, console, races.Race(**asked)))


@click.command()
@click.option("--target", default=rules.TARGET, help="The loss to reach, in nats a character.")
@click.option("--seeds", default=rules.SEEDS, type=click.IntRange(min=1), help="How often each is trained.")
@click.option("--only", default="", help="The tricks to try, by name, with commas between; else all.")
def ablate(target: float, seeds: int, only: str) -> None:
    """Take the record's tricks away, one at a time, and measure how much longer it then takes to the target."""
    session = Session()
    ablation = runpy.run_path(str(session.root / RECORD.parent / "ablate.py"))
    raise SystemExit(ablation["run"](session.root, session.root / RECORD, console, target, seeds, only))
