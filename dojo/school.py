"""The tree a command works on: its katas, how far one is, and the board that shows it. No torch here."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from .catalog import Catalog, Kata, UnknownKata, find_root
from .progress import Progress

console = Console(highlight=False, markup=False)
STATUS = {
    "solved": ("✓", "solved", "green"),
    "changed": ("~", "solved before, changed since", "yellow"),
    "started": ("…", "started", "yellow"),
    "untouched": ("·", "", "dim"),
}


class School:
    """The tree this command works on."""

    def __init__(self) -> None:
        self.root = find_root()
        self.catalog = Catalog(self.root)
        self.progress = Progress.load(self.root, warn)

    def find(self, name: str) -> Kata:
        """The kata called `name`; ends the program with a usage error where there is none."""
        try:
            return self.catalog.find(name)
        except UnknownKata as error:
            warn(str(error))
            raise SystemExit(2) from None

    def back_up(self, kata: Kata) -> Path:
        """Keep a copy of the learner's file: where it is. Raises OSError."""
        folder = self.root / ".dojo" / "backups"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{kata.slug}-{datetime.now():%Y%m%d-%H%M%S-%f}.py"
        shutil.copyfile(kata.file, path)
        return path

    def save(self) -> None:
        """Write the progress; where that fails, say so and go on."""
        try:
            self.progress.save()
        except OSError as error:
            warn(f"Your progress could not be written: {error}. The verdict stands.")

    @property
    def next(self) -> Kata | None:
        """The first kata that is not solved."""
        return next((kata for kata in self.catalog.katas if self.progress.status(kata) != "solved"), None)

    def wanted(self, name: str) -> Kata:
        """The kata called `name`, or the next one where no name is given."""
        if name:
            return self.find(name)
        if self.next is None:
            console.print("Every kata is solved. Train the GPT that you built: make train")
            raise SystemExit(0)
        return self.next


def show_board(school: School) -> None:
    """Print every kata, solved or not, and what is next."""
    katas = school.catalog.katas
    solved = sum(school.progress.status(kata) == "solved" for kata in katas)
    console.print(f"GPT katas: {solved} of {len(katas)} solved\n", style="bold")
    for kata in katas:
        mark, words, style = STATUS[school.progress.status(kata)]
        arrow = "→" if kata is school.next else " "
        line = Text(f"{arrow} {mark} {kata.code}  {kata.title:<32}", style if style != "dim" else "")
        console.print(line.append(words, "dim"))
    if school.next is not None:
        lesson = school.next.lesson.relative_to(school.root).as_posix()
        console.print(f"\nNext: {school.next.code}. Read {lesson}, then make test KATA={school.next.number}")
    else:
        console.print("\nEvery kata is solved. Train the GPT that you built: make train")


def warn(text: str) -> None:
    """Say something beside the output, on standard error."""
    Console(stderr=True, highlight=False).print(Text(text, "yellow"))
