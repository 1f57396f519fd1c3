"""The tree a command works on: its katas, how far one is, and the board that shows it. No torch here."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from . import stubs
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
        self.say = warn  # how the learner is told of trouble
        self.progress = Progress.load(self.root, warn)

    def find(self, name: str) -> Kata:
        """The kata called `name`; ends the program with a usage error where there is none."""
        try:
            return self.catalog.find(name)
        except UnknownKata as error:
            warn(str(error))
            raise SystemExit(2) from None

    def note(self, kata: Kata, verdict: dict[str, Any]) -> None:
        """Write down an attempt."""
        self.progress.note(kata, verdict["verdict"], verdict["step"], verdict["fingerprint"])
        self.save()

    def hint(self, kata: Kata, step: int = 0) -> tuple[int, list[tuple[str, str]], int]:
        """Take one more hint for a step, or for where one stands: the step, the hints so far, and how many are left."""
        entry = self.progress.katas.setdefault(kata.slug, {"attempts": 0})
        step = step or entry.get("step") or 1
        hints = kata.hints(step)
        taken = entry.setdefault("hints", {})
        count = taken[str(step)] = min(int(taken.get(str(step), 0)) + 1, len(hints))
        self.save()
        return step, hints[:count], len(hints) - count

    def reset(self, kata: Kata) -> Path | None:
        """Write the stub anew; returns the backup of the file that stood there, if one was made. Raises OSError."""
        kept = None
        if kata.file.exists() and stubs.read(kata.file) != stubs.stub_of(kata):
            kept = self.back_up(kata)
        stubs.write(kata)
        return kept

    def near(self, path: Path) -> str:
        """A path as one writes it from the root."""
        return path.relative_to(self.root).as_posix()

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
            self.say(f"Your progress could not be written: {error}. The verdict stands.")

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


def board(school: School) -> Text:
    """Every kata, solved or not, and what is next."""
    katas = school.catalog.katas
    solved = sum(school.progress.status(kata) == "solved" for kata in katas)
    shown = Text(f"GPT katas: {solved} of {len(katas)} solved\n\n", "bold")
    for kata in katas:
        mark, words, style = STATUS[school.progress.status(kata)]
        arrow = "→" if kata is school.next else " "
        shown.append(f"{arrow} {mark} {kata.code}  {kata.title:<32}", "not bold " + style.replace("dim", ""))
        shown.append(f"{words}".rstrip() + "\n", "not bold dim")
    if school.next is not None:
        lesson, number = school.near(school.next.lesson), school.next.number
        shown.append(f"\nNext: {school.next.code}. Read {lesson}, then make test KATA={number}", "not bold")
    else:
        shown.append("\nEvery kata is solved. Train the GPT that you built: make train", "not bold")
    return shown


def warn(text: str) -> None:
    """Say something beside the output, on standard error."""
    Console(stderr=True, highlight=False).print(Text(text, "yellow"))
