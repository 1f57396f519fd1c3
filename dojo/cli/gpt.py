"""The verbs around the real thing: `data`, `train`, `sample`. torch comes when one is called."""

from __future__ import annotations

import click

from ..gpt.presets import PRESETS
from ..learner.session import Session
from ..system.console import console, warn
from . import train as training


@click.command()
def data() -> None:
    """Fetch the real texts and GPT-2's vocabulary; from the folder DOJO_MIRROR where that is set."""
    raise SystemExit(training.fetch(console))


@click.command()
@click.argument("preset", default="verona")
@click.option("--impl", default="yours", help="`solutions`: the reference's parts alone.")
@click.option("--resume", is_flag=True, help="Go on where the last run stopped.")
def train(preset: str, impl: str, resume: bool) -> None:
    """Train a GPT made of your own parts, and of the reference's where a kata is not solved yet."""
    session = Session()
    if preset not in PRESETS or impl not in ("yours", "solutions"):
        warn(f"PRESET is one of {', '.join(PRESETS)}; IMPL is yours or solutions.")
        raise SystemExit(2)
    solved: frozenset[str] = frozenset() if impl == "solutions" else session.progress.solved(session.catalog)
    raise SystemExit(training.train(session.catalog, solved, preset, resume, console))


@click.command()
@click.option("--prompt", default="", help="What the text begins with.")
@click.option("--preset", default="", help="Of which run; else the latest.")
@click.option("--characters", default=400, type=click.IntRange(min=1), help="How many to write.")
@click.option("--seed", type=int, help="The same seed writes the same text.")
@click.option("--count", default=1, type=click.IntRange(min=1), help="How many texts, written side by side.")
def sample(prompt: str, preset: str, characters: int, seed: int | None, count: int) -> None:
    """Let the trained GPT continue a text."""
    session = Session()
    raise SystemExit(
        training.sample(
            session.catalog, session.progress.solved(session.catalog), prompt, preset, characters, seed, count, console
        )
    )
