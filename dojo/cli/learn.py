"""The verbs of learning: `start`, `watch`, `test`, `hint`, `solution`, `reset`. No torch here."""

from __future__ import annotations

import json
import sys

import click

from ..curriculum import stubs
from ..curriculum.catalog import Catalog, Kata
from ..judge.client import Judge, JudgeError
from ..learner.advice import ALL_SOLVED, hint_text
from ..learner.session import Session
from ..system.console import console, warn
from ..system.processes import wait_passively
from ..system.root import find_root


def names(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """The names of katas that begin with what was typed, for tab completion."""
    return [kata.name for kata in Catalog(find_root()).katas if kata.name.startswith(typed)]


@click.command()
def start() -> None:
    """Judge the next kata, say what to do; in a terminal, watch it."""
    from ..learner.board import board

    session = Session()
    kata = session.next
    if kata is not None and _terminal():
        raise SystemExit(_watch(session, kata))
    console.print(board(session))
    if kata is None:
        return
    console.print()
    _judge_all(session, [kata])
    console.print(
        f"\nRead the lesson:  {session.relative(kata.lesson)}\nWrite your code:  {session.relative(kata.file)}\n"
        f"Then be judged:   make test KATA={kata.number}, or each time you save: make watch"
    )


@click.command()
@click.argument("kata", default="", shell_complete=names)
def watch(kata: str) -> None:
    """Judge on every save; hints and all else are a key away."""
    session = Session()
    raise SystemExit(_watch(session, session.find(kata) if kata else None))


@click.command()
@click.argument("kata", default="", shell_complete=names)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
@click.option("--traceback", is_flag=True, help="Show the whole traceback.")
def test(kata: str, as_json: bool, traceback: bool) -> None:
    """Judge a kata; without a name, all up to the first unsolved.

    Optional katas are judged by name only.
    """
    session = Session()
    katas = [session.find(kata)] if kata else session.catalog.required
    passed = _judge_all(session, katas, as_json, traceback)
    if not kata and passed and not as_json:
        console.print(f"\n{ALL_SOLVED}", style="bold green")
    raise SystemExit(0 if passed else 1)


@click.command()
@click.argument("kata", default="", shell_complete=names)
@click.option("--step", default=0, help="Of which step; else where you stand.")
def hint(kata: str, step: int) -> None:
    """Show one more hint for the step you are at."""
    session = Session()
    wanted = session.find(kata) if kata else session.suggested
    if wanted is None:
        console.print(ALL_SOLVED)
        return
    if step and step not in wanted.steps:
        warn(f"{wanted.code} has no step {step}: it has {', '.join(map(str, wanted.steps))}.")
        raise SystemExit(2)
    hints = session.take_hint(wanted, step)
    if not hints.taken:
        lesson = session.relative(wanted.lesson)
        warn(f"There are no hints for step {hints.step} of {wanted.code}. The lesson: {lesson}")
        raise SystemExit(2)
    more = f"{hints.left} more: make hint" if hints.left else "That was the last. make solution"
    console.print(hint_text(wanted, hints, f"{more} KATA={wanted.number}"))


@click.command()
@click.argument("kata", shell_complete=names)
def solution(kata: str) -> None:
    """Print the reference solution."""
    session = Session()
    wanted = session.find(kata)
    if session.progress.status(wanted) != "solved":
        warn(f"{wanted.code} is not solved yet; a hint may be enough: make hint KATA={wanted.number}")
    print(stubs.plain(wanted), end="")  # the console would break long lines


@click.command()
@click.argument("kata", shell_complete=names)
def reset(kata: str) -> None:
    """Write the stub anew; your file is kept as a backup."""
    session = Session()
    wanted = session.find(kata)
    missing = not wanted.file.exists()
    try:
        kept = session.reset(wanted)
    except OSError as error:
        warn(f"Your file could not be kept, so nothing was changed: {error}.")
        raise SystemExit(1) from None
    if kept:
        console.print(f"Your file is kept as {session.relative(kept)}")
    state = "stub again" if kept or missing else "untouched stub already"
    console.print(f"{session.relative(wanted.file)} is the {state}.")


def _judge_all(session: Session, katas: list[Kata], as_json: bool = False, traceback: bool = False) -> bool:
    """Judge katas in order up to the first that does not pass."""
    from ..learner.verdict_text import render

    with Judge(session.root) as judge:
        for kata in katas:
            try:
                verdict = judge.verdict(kata, session.progress.solved(session.catalog))
            except JudgeError as error:
                warn(str(error))
                raise SystemExit(1) from None
            session.note(kata, verdict)
            if as_json:
                print(json.dumps(verdict.as_dict(), ensure_ascii=False))
            else:
                console.print(render(verdict, kata.title, traceback))
            if verdict.verdict != "passed":
                return False
    return True


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _watch(session: Session, kata: Kata | None) -> int:
    from ..learner.watch import watch as loop

    left = loop(session, kata, _terminal())
    if not left.train:
        return left.status
    wait_passively()
    from .gpt import train_preset  # imports torch

    return train_preset(session)
