"""What the learner's loop shows of a kata: its verdict, and the keys there are."""

from __future__ import annotations

from rich.text import Text

from ..curriculum.catalog import Kata
from ..judge.verdict import Verdict
from .session import School
from .verdict_text import render

KEYS = {
    "h": "next hint",
    "n": "next kata",
    "p": "previous",
    "l": "list",
    "s": "solution",
    "r": "run again",
    "b": "race",
    "x": "reset",
    "t": "traceback",
    "q": "quit",
}


def verdict_text(
    school: School, kata: Kata, verdict: Verdict | None, traceback: bool = False, advice: bool = False
) -> Text:
    """A verdict as text, and where to read of what is not written yet; without a verdict, the title."""
    if verdict is None:
        return Text(f"{kata.code} · {kata.title}", "bold")
    shown = render(verdict, kata.title, traceback, advice=advice)
    if verdict.verdict == "not_started":
        shown.append(f"\n\nRead the lesson: {school.near(kata.lesson)}")
    return shown


def keys_text(kata: Kata) -> Text:
    """The keys that do something at this kata."""
    keys = {key: what for key, what in KEYS.items() if key != "b" or kata.races.is_file()}
    return Text(" · ".join(f"{key} {what}" for key, what in keys.items()), "dim")
