"""What is said in a terminal: the console, warnings beside the output, progress bars."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

console = Console(highlight=False, markup=False)


def warn(text: str) -> None:
    """Say something beside the output, on standard error."""
    Console(stderr=True, highlight=False).print(Text(text, "yellow"))


def count(number: int, what: str) -> str:
    """A number of things: 1 attempt, 2 attempts."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def command(verb: str, argument: str = "", **options: str | int | bool | None) -> str:
    """A command to type next, in the form in which this one was called: `make VERB NAME=value`, or with `--name value`.

    An option that is empty or False is left out. `argument` names the option that `dojo VERB` takes without its name.
    """
    given = {name: "1" if value is True else shlex.quote(str(value)) for name, value in options.items() if value}
    if "MAKELEVEL" in os.environ:  # make sets it for whatever it runs
        words = [f"{name.upper()}={value.replace('$', '$$')}" for name, value in given.items()]
        return " ".join(["make", verb, *words])
    positional = [given.pop(argument)] if argument in given else []
    words = [f"--{name}" if options[name] is True else f"--{name} {value}" for name, value in given.items()]
    program = "dojo" if Path(sys.argv[0]).stem == "dojo" else "python -m dojo"
    return " ".join([program, verb, *positional, *words])


def every(seconds: float) -> Callable[[], bool]:
    """A function that is true the first time it is called, and then when that many seconds have passed."""
    due = 0.0

    def now() -> bool:
        nonlocal due
        if (clock := time.monotonic()) < due:
            return False
        due = clock + seconds
        return True

    return now


def progress_bar(*columns: str | ProgressColumn, on: Console = console, transient: bool = False) -> Progress:
    """A progress bar of these columns; where nobody sits at a terminal nothing is drawn."""
    from rich.progress import Progress

    return Progress(*columns, console=on, disable=not on.is_terminal, transient=transient)
