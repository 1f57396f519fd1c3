"""What is said in a terminal: the console, warnings beside the output, progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

console = Console(highlight=False, markup=False)


def warn(text: str) -> None:
    """Say something beside the output, on standard error."""
    Console(stderr=True, highlight=False).print(Text(text, "yellow"), soft_wrap=True)  # commands in it can be copied


def count(number: int, what: str) -> str:
    """A number of things: 1 attempt, 2 attempts."""
    return f"{number} {what}{'' if number == 1 else 's'}"


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

    # FORCE_COLOR, which notebooks set, has rich take a pipe for a terminal; a bar there is a thousand lines.
    return Progress(*columns, console=on, disable=not on.file.isatty(), transient=transient)
