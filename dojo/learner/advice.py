"""What a learner may do next, in words: after a verdict, on the board, with the hints. No torch here."""

from __future__ import annotations

import re

from rich.text import Text

from ..curriculum.catalog import Kata
from ..judge.verdict import Verdict
from ..system.command import command
from .session import Hints, Session

LINE_ENDS = re.compile(r"(?<!\n)\n(?![\n|]|[-*] |    )")  # within a paragraph


def all_solved() -> str:
    """What is left to do once every kata is solved."""
    return f"Every kata is solved. Train the GPT that you built: {command('train')}"


def after_verdict(verdict: Verdict, following: list[str] | None = None, again: str = "", step: int = 0) -> str:
    """What stands below a verdict.

    following: the lines that say what comes once the kata passes.
    again: how the kata is judged anew, where it is not by `test`.
    step: the one that a hint is for, where it is not the one at which the last attempt stopped.
    """
    number = int(verdict.kata.removeprefix("k"))
    if verdict.verdict == "passed":
        return "\n".join([f"To compare: {command('solution', KATA=number)}", *(following or [])])
    todo = f"write step {verdict.step}" if verdict.verdict == "not_started" else "mend it"
    again = again or command("test", KATA=number)
    return f"Next: {todo}, then {again}. A nudge: {command('hint', KATA=number, STEP=step)}"


def then(session: Session, kata: Kata) -> list[str]:
    """What comes after a kata that passes: the next one, with its lesson and its file, or the GPT made of them all."""
    if session.next is None and not kata.optional:
        return ["", all_solved()]
    following = session.after(kata)
    if following is None:
        return []
    return ["", f"Next: {following.code} · {following.title}", *to_do(session, following)]


def to_do(session: Session, kata: Kata) -> list[str]:
    """What to read, where to write and how to be judged."""
    return [
        f"Read the lesson:  {session.relative(kata.lesson)}",
        f"Write your code:  {session.relative(kata.file)}",
        f"Then be judged:   {command('test', KATA=kata.number)}",
    ]


def next_kata(session: Session) -> list[str]:
    """The lines below the board: that all is solved, and the kata to go on with."""
    lines = [all_solved()] if session.next is None else []
    if kata := session.suggested:
        opening = "Next" if kata is session.next else "For a black belt"
        lesson = session.relative(kata.lesson)
        lines.append(f"{opening}: {kata.code}. Read {lesson}, then {command('test', KATA=kata.number)}")
    return lines


def hint_text(kata: Kata, hints: Hints) -> Text:
    """The newest hint for a step in full, and where those before it stand."""
    text = Text(f"{kata.code} · {kata.title}, step {hints.step} · {kata.steps.get(hints.step, '')}\n", "bold")
    kind, words = hints.taken[-1]
    text.append(f"\n{kind}:\n", "not bold cyan").append(f"{LINE_ENDS.sub(' ', words)}\n", "not bold")
    if len(hints.taken) > 1:
        earlier = " and ".join(kind[:1].lower() + kind[1:] for kind, _ in hints.taken[:-1])
        where = kata.lesson.relative_to(kata.root).as_posix()
        text.append(f"\nBefore it: {earlier}. They stand at the end of {where}.\n", "not bold dim")
    text.rstrip()
    return text
