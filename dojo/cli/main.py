"""The verbs: what `make VERB` and `dojo VERB` do. Listing, hints and progress import no torch."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any

import click

# The file of each verb, and its help in the list of verbs: a file is imported when one of its verbs is called.
VERBS = {
    "start": (
        "learn",
        "Show the board, judge the first kata that is not solved, and say what to do next; in a terminal, watch it.",
    ),
    "watch": ("learn", "Judge on every save; hints, the board and all else are a key away."),
    "test": ("learn", "Judge a kata; without a name, all but optional ones in order, to the first that is not solved."),
    "hint": ("learn", "Show the next hint for the step you are at; each call shows one more."),
    "solution": ("learn", "Print the reference solution."),
    "reset": ("learn", "Write the stub anew; the file that stood there is kept as a backup."),
    "stubs": (
        "authors",
        "For authors: write the stubs that are missing or out of date; files with work in them are left alone.",
    ),
    "index": (
        "authors",
        "Work out the answers of all known mistakes, of a kata or of all whose answers are out of date.",
    ),
    "check": ("authors", "Prove what the repository promises, and count it. Extra arguments go to pytest."),
    "data": ("gpt", "Fetch the real texts and GPT-2's vocabulary; from the folder DOJO_MIRROR where that is set."),
    "train": ("gpt", "Train a GPT made of your own parts, and of the reference's where a kata is not solved yet."),
    "sample": ("gpt", "Let the trained GPT continue a text."),
    "progress": ("upkeep", "Show the record in words, or carry it to another machine. It does not hold your code."),
    "update": ("upkeep", "Bring the newest version of the katas into this clone; what you wrote stays as it is."),
    "doctor": ("upkeep", "Look this machine over, and say what to mend."),
    "bench": ("bench", "Race implementations of attention, yours among them; or what there is to race of one kata."),
    "bench-train": (
        "bench",
        "Time the training: seconds to a validation loss, tokens/s, and the share of what the machine could do.",
    ),
    "attention": ("figures", "Draw what every layer and head of the trained GPT looks at in a text."),
    "pictures": ("figures", "Draw the pictures of the lessons and the loss curves of your runs, as PNG and SVG."),
    "report": (
        "figures",
        "Write one page to open in a browser: progress, loss curves, samples, attention maps, benchmarks.",
    ),
    "speedrun": (
        "speedrun",
        "Judge a submission to the speedrun, else the record: train to a validation loss as fast as two threads can.",
    ),
    "ablate": (
        "speedrun",
        "Take the record's tricks away, one at a time, and measure how much longer it then takes to the target.",
    ),
}


class Verbs(click.Group):
    """Verbs of which no more than the help is there until they are called."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the arguments call, imported, and what is left of them."""
        name, verb, rest = super().resolve_command(context, arguments)
        if name is not None:
            verbs = vars(import_module(f"{__package__}.{VERBS[name][0]}")).values()
            verb = next(verb for verb in verbs if isinstance(verb, click.Command) and verb.name == name)
        return name, verb, rest


@click.group(
    cls=Verbs,
    commands={name: click.Command(name, help=text) for name, (_, text) in VERBS.items()},
    invoke_without_command=True,
    help=__doc__,
    context_settings={"max_content_width": 100},
)
@click.pass_context
def app(context: click.Context) -> None:
    """Run a verb; without one, show the board."""
    if context.invoked_subcommand is None:
        from ..learner.board import board
        from ..learner.session import Session
        from ..system.console import console

        console.print(board(Session()))


def main() -> Any:
    """The entry point of `dojo` and `python -m dojo`."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))  # who started processes ends them on the way out
    try:
        return app(prog_name="dojo")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader, `head` for one, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
