"""The verbs: what `make VERB` and `dojo VERB` do. Listing, hints and progress import no torch."""

from __future__ import annotations

import ast
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ..system.command import remember_door
from ..system.processes import wait_passively

# The verbs by their files. A file is imported when one of its verbs is called, and else only read.
VERBS = {
    "learn": ("start", "watch", "test", "hint", "solution", "reset", "judge"),
    "gpt": ("data", "sample"),
    "train": ("train",),
    "runs": ("runs",),
    "pretrained": ("write", "chat"),
    "bench": ("bench", "bench-train", "speedrun", "ablate"),
    "figures": ("attention", "pictures", "report"),
    "workshop": ("bundle", "room"),
    "grading": ("submit", "grade", "gradescope"),
    "upkeep": ("progress", "init", "update", "doctor"),
    "authors": ("stubs", "index", "check"),
}
# The groups in the help, each with the files of its verbs.
GROUPS = {
    "Learn": ("learn",),
    "Your GPT": ("gpt", "train", "runs"),
    "Real models": ("pretrained",),
    "Measure": ("bench",),
    "Look": ("figures",),
    "Workshops": ("workshop", "grading"),
    "Keep up to date": ("upkeep",),
    "For authors": ("authors",),
}
# What trains or samples beside other work: its threads wait passively. What measures leaves that to torch.
PASSIVE = ("gpt", "train", "pretrained", "figures")
FILES = {verb: file for file, verbs in VERBS.items() for verb in verbs}


class Verbs(click.Group):
    """Verbs of which no more than the help is there until they are called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The names of all verbs, group by group."""
        return list(FILES)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs in their groups, each with the first sentence of its help, whole."""
        width = max(map(len, FILES))
        for title, files in GROUPS.items():
            commands = [(name, self.get_command(context, name)) for file in files for name in VERBS[file]]
            with formatter.section(title):
                formatter.write_dl(
                    [(f"{name:<{width}}", verb.get_short_help_str(999)) for name, verb in commands if verb]
                )

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """A verb's help, from the docstring of its function, which is called as the verb is."""
        if name not in FILES:
            return None
        body = ast.parse(Path(__file__).with_name(f"{FILES[name]}.py").read_bytes()).body
        functions = {node.name.replace("_", "-"): node for node in body if isinstance(node, ast.FunctionDef)}
        return click.Command(name, help=ast.get_docstring(functions[name]))

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the arguments call, imported, and what is left of them."""
        name, verb, rest = super().resolve_command(context, arguments)
        if name is not None:
            if FILES[name] in PASSIVE:
                wait_passively()
            verb = getattr(import_module(f"{__package__}.{FILES[name]}"), name.replace("-", "_"))
        return name, verb, rest


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    options_metavar="",
    subcommand_metavar="[VERB …]",
    context_settings={"max_content_width": 100},
)
@click.pass_context
def app(context: click.Context) -> None:
    """Learn how a GPT works by writing one.

    `make VERB` and `dojo VERB` do the same; without a verb, the board. `dojo VERB --help` lists a verb's options.
    """
    if context.invoked_subcommand is None:
        from ..learner.board import board
        from ..learner.session import Session
        from ..system.console import console

        console.print(board(Session()))


def main() -> Any:
    """The entry point of `dojo` and `python -m dojo`."""
    remember_door()
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
