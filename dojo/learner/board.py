"""The board, and progress in words. No torch here."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from ..curriculum.catalog import Kata
from ..system.console import console, count
from .advice import next_kata
from .session import BLACK_BELT, STATUS, Session

STEPS = {"passed": "passed", "failed": "failed", "broken": "passed before, fails now", "not_started": "not started"}


def board(session: Session) -> Text:
    """Every kata, solved or not, the optional ones apart, and what is next."""
    required, optional = session.catalog.required, session.catalog.optional
    text = Text(f"GPT katas: {session.solved(required)} solved\n\n", "bold").append_text(_rows(session, required))
    if optional:
        text.append(f"\n{BLACK_BELT}: {session.solved(optional)} solved\n\n").append_text(_rows(session, optional))
    for line in next_kata(session):
        text.append(f"\n{line}", "not bold")
    return text


def _rows(session: Session, katas: list[Kata]) -> Text:
    """A line for each kata: its mark, its title, how far it is."""
    rows, suggested = Text(), session.suggested
    for kata in katas:
        mark, _, style = STATUS[session.progress.status(kata)]
        arrow = "→" if kata is suggested else " "
        rows.append(f"{arrow} {mark} {kata.code}  {kata.title:<32}", "not bold " + style.replace("dim", ""))
        rows.append(session.standing(kata) + "\n", "not bold dim")
    return rows


def show_progress(session: Session) -> None:
    """Print progress in words: for each kata how far it is, its attempts and when; for one under way its steps."""
    required, optional = session.catalog.required, session.catalog.optional
    attempts = count(sum(map(session.progress.attempts, session.catalog.katas)), "attempt")
    first = f"{session.solved(required)} katas solved, {attempts}\n"
    second = f"\n{BLACK_BELT}: {session.solved(optional)} solved\n"
    for heading, katas in ((first, required), (second, optional)):
        if katas:
            console.print(heading, style="bold")
        for kata in katas:
            _show_kata(session, kata)


def _show_kata(session: Session, kata: Kata) -> None:
    progress = session.progress
    entry, status = progress.entry(kata), progress.status(kata)
    parts = [session.standing(kata) or "not started"]
    if status != "started" and progress.attempts(kata):
        parts.append(count(progress.attempts(kata), "attempt"))
    if hints := sum(entry.get("hints", {}).values()):
        parts.append(count(hints, "hint"))
    if "solved_at" in entry:
        parts.append(f"solved on {_local(entry['solved_at'])}")
    if status != "solved" and "at" in entry:
        parts.append(f"last tried on {_local(entry['at'])}")
    console.print(f"{kata.code} · {kata.title}: {', '.join(parts)}", style=STATUS[status][2].replace("dim", ""))
    for step, title in kata.steps.items() if status in ("started", "broken") else []:
        words = STEPS.get(entry.get("steps", {}).get(str(step), ""), "not reached yet")
        if step == progress.step(kata) and progress.tries(kata) > 1:
            words += f", {progress.tries(kata)} times in a row at the same claim"
        console.print(f"    step {step} · {title}: {words}", style="dim")


def _local(moment: str) -> str:
    """A time of the record, as the clock on the wall shows it."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d at %H:%M}"
