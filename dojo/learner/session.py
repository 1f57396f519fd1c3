"""The tree a command works on: its katas, how far one is, and the board that shows it. No torch here."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from rich.text import Text

from ..curriculum import stubs
from ..curriculum.catalog import Catalog, Kata, UnknownKata, find_root
from ..judge.verdict import Verdict
from ..system.console import console, count, warn
from .progress import Progress

STATUS = {
    "solved": ("✓", "solved", "green"),
    "changed": ("~", "solved before, changed since", "yellow"),
    "broken": ("✗", "solved before, broken since", "red"),
    "started": ("…", "", "yellow"),
    "untouched": ("·", "", "dim"),
}
BLACK_BELT = "Black belt, optional"
STEPS = {"passed": "passed", "failed": "failed", "broken": "passed before, fails now", "not_started": "not started"}


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

    def note(self, kata: Kata, verdict: Verdict) -> None:
        """Note and save what came of judging a kata."""
        self.progress.note(
            kata, verdict.verdict, verdict.step, verdict.fingerprint, verdict.property, verdict.as_dict()["steps"]
        )
        self.save()

    def hint(self, kata: Kata, step: int = 0) -> tuple[int, list[tuple[str, str]], int]:
        """Take one more hint for a step, or for where one stands: the step, the hints so far, and how many are left."""
        step = step or self.progress.step(kata) or 1
        hints = kata.hints(step)
        taken = self.progress.hint(kata, step, len(hints))
        self.save()
        return step, hints[:taken], len(hints) - taken

    def reset(self, kata: Kata) -> Path | None:
        """Write the stub anew; returns the backup of the file that stood there, if one was made. Raises OSError."""
        kept = None
        if kata.file.exists() and stubs.read(kata.file) != stubs.stub_of(kata):
            kept = stubs.back_up(kata)
        stubs.write(kata)
        return kept

    def near(self, path: Path) -> str:
        """A path as one writes it from the root."""
        return path.relative_to(self.root).as_posix()

    def save(self) -> bool:
        """Write the progress; where that fails, say so and go on. Whether it was written."""
        try:
            self.progress.save()
        except OSError as error:
            self.say(f"Your progress could not be written: {error}. The verdict stands.")
            return False
        return not self.progress.newer

    def standing(self, kata: Kata) -> str:
        """How far a kata is, in words; nothing for one that is not started."""
        status = self.progress.status(kata)
        if status != "started":
            return STATUS[status][1]
        step = self.progress.step(kata)
        at = [f"step {step} of {len(kata.steps)}"] if step else []
        return ", ".join([*at, count(self.progress.attempts(kata), "attempt")])

    @property
    def next(self) -> Kata | None:
        """The first kata that is not solved; an optional one never."""
        return self._unsolved(self.catalog.required)

    @property
    def suggested(self) -> Kata | None:
        """What to go on with: the next kata or, once there is none, the first optional one that is not solved."""
        return self.next or self._unsolved(self.catalog.optional)

    def _unsolved(self, katas: list[Kata]) -> Kata | None:
        return next((kata for kata in katas if self.progress.status(kata) != "solved"), None)

    def solved(self, katas: list[Kata]) -> str:
        """How many of these are solved: 3 of 15."""
        return f"{sum(self.progress.status(kata) == 'solved' for kata in katas)} of {len(katas)}"

    def wanted(self, name: str) -> Kata:
        """The kata called `name`, or the next one where no name is given."""
        if name:
            return self.find(name)
        if self.suggested is None:
            console.print("Every kata is solved. Train the GPT that you built: make train")
            raise SystemExit(0)
        return self.suggested


def board(school: School) -> Text:
    """Every kata, solved or not, the optional ones apart, and what is next."""
    required, optional = school.catalog.required, school.catalog.optional
    shown = Text(f"GPT katas: {school.solved(required)} solved\n\n", "bold").append_text(_rows(school, required))
    if optional:
        shown.append(f"\n{BLACK_BELT}: {school.solved(optional)} solved\n\n").append_text(_rows(school, optional))
    if school.next is None:
        shown.append("\nEvery kata is solved. Train the GPT that you built: make train", "not bold")
    if kata := school.suggested:
        what = "Next" if kata is school.next else "For a black belt"
        lesson, number = school.near(kata.lesson), kata.number
        shown.append(f"\n{what}: {kata.code}. Read {lesson}, then make test KATA={number}", "not bold")
    return shown


def _rows(school: School, katas: list[Kata]) -> Text:
    """A line for each kata: its mark, its title, how far it is."""
    rows, suggested = Text(), school.suggested
    for kata in katas:
        mark, _, style = STATUS[school.progress.status(kata)]
        arrow = "→" if kata is suggested else " "
        rows.append(f"{arrow} {mark} {kata.code}  {kata.title:<32}", "not bold " + style.replace("dim", ""))
        rows.append(school.standing(kata) + "\n", "not bold dim")
    return rows


def show_progress(school: School) -> None:
    """Print the record in words: for each kata how far it is, its attempts and when; for one under way its steps."""
    required, optional = school.catalog.required, school.catalog.optional
    attempts = count(sum(map(school.progress.attempts, school.catalog.katas)), "attempt")
    console.print(f"{school.solved(required)} katas solved, {attempts}\n", style="bold")
    for kata in required:
        _show_progress_of(school, kata)
    if optional:
        console.print(f"\n{BLACK_BELT}: {school.solved(optional)} solved\n", style="bold")
    for kata in optional:
        _show_progress_of(school, kata)


def _show_progress_of(school: School, kata: Kata) -> None:
    progress = school.progress
    entry, status = progress.katas.get(kata.slug, {}), progress.status(kata)
    said = [school.standing(kata) or "not started"]
    if status != "started" and progress.attempts(kata):
        said.append(count(progress.attempts(kata), "attempt"))
    if hints := sum(entry.get("hints", {}).values()):
        said.append(count(hints, "hint"))
    if "solved_at" in entry:
        said.append(f"solved on {_local(entry['solved_at'])}")
    if status != "solved" and "at" in entry:
        said.append(f"last tried on {_local(entry['at'])}")
    console.print(f"{kata.code} · {kata.title}: {', '.join(said)}", style=STATUS[status][2].replace("dim", ""))
    for step, title in kata.steps.items() if status in ("started", "broken") else []:
        words = STEPS.get(entry.get("steps", {}).get(str(step), ""), "not reached yet")
        if step == progress.step(kata) and progress.tries(kata) > 1:
            words += f", {progress.tries(kata)} times in a row at the same claim"
        console.print(f"    step {step} · {title}: {words}", style="dim")


def hint_text(kata: Kata, step: int, hints: list[tuple[str, str]], more: str) -> Text:
    """Hints for a step, as (kind, text), and how to have more."""
    text = Text(f"{kata.code} · {kata.title}, step {step} · {kata.steps.get(step, '')}\n", "bold")
    for kind, words in hints:
        text.append(f"\n{kind}:\n", "not bold cyan").append(f"{words}\n", "not bold")
    return text.append(f"\n{more}", "not bold dim")


def _local(moment: str) -> str:
    """A time of the record, as the clock on the wall shows it."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d at %H:%M}"
