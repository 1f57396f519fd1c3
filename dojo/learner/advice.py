"""What a learner may do next, in words: after a verdict, on the board, with the hints. No torch here."""

from __future__ import annotations

from rich.text import Text

from ..curriculum.catalog import Kata
from ..judge.verdict import Verdict
from .session import Hints, Session

ALL_SOLVED = "Every kata is solved. Train the GPT that you built: make train"


def after_verdict(verdict: Verdict, passed: str = "Next: make test. ", again: str = "", hint: str = "") -> str:
    """The line below a verdict.

    passed: what stands before the way to compare, once the kata passes.
    again: how the kata is judged anew, where it is not `make test`.
    hint: what is added to the command that gives a hint.
    """
    number = int(verdict.kata.removeprefix("k"))
    if verdict.verdict == "passed":
        return f"{passed}To compare: make solution KATA={number}"
    todo = f"write step {verdict.step}" if verdict.verdict == "not_started" else "mend it"
    return f"Next: {todo}, then {again or f'make test KATA={number}'}. A nudge: make hint KATA={number}{hint}"


def next_kata(session: Session) -> list[str]:
    """The lines below the board: that all is solved, and the kata to go on with."""
    lines = [ALL_SOLVED] if session.next is None else []
    if kata := session.suggested:
        opening = "Next" if kata is session.next else "For a black belt"
        lesson = session.relative(kata.lesson)
        lines.append(f"{opening}: {kata.code}. Read {lesson}, then make test KATA={kata.number}")
    return lines


def hint_text(kata: Kata, hints: Hints, more: str) -> Text:
    """The hints taken for a step, and how to have more."""
    text = Text(f"{kata.code} · {kata.title}, step {hints.step} · {kata.steps.get(hints.step, '')}\n", "bold")
    for kind, words in hints.taken:
        text.append(f"\n{kind}:\n", "not bold cyan").append(f"{words}\n", "not bold")
    return text.append(f"\n{more}", "not bold dim")
