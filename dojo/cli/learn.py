"""The verbs of learning: `start`, `watch`, `test`, `hint`, `solution`, `reset`, `judge`. No torch here."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from ..curriculum import stubs
from ..curriculum.catalog import Catalog, Kata
from ..judge import shared_server
from ..judge.client import Judge, JudgeError
from ..learner.advice import after_verdict, all_solved, hint_text, then, to_do
from ..learner.session import Session
from ..system.command import command
from ..system.console import console, warn
from ..system.processes import wait_passively
from ..system.root import find_root

if TYPE_CHECKING:
    from ..learner.room import Room


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
    todo = "\n".join(to_do(session, kata))
    console.print(f"\n{todo}, or each time you save: {command('watch')}")


@click.command()
@click.argument("kata", default="", shell_complete=names)
@click.option("--room", default="", help="The address of a workshop's room, as its leader shows it.")
@click.option("--code", default="", help="The room's six letters.")
@click.option("--name", default="", help="What you want to be called there.")
def watch(kata: str, room: str, code: str, name: str) -> None:
    """Judge on every save; hints and all else are a key away.

    In a workshop's room its leader sees at which claim you are, and never your code unless you press c.
    """
    session = Session()
    wanted = session.find(kata) if kata else None
    raise SystemExit(_watch(session, wanted, _room(session, room, code, name) if room or code else None))


@click.command()
@click.argument("kata", default="", shell_complete=names)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
@click.option("--traceback", is_flag=True, help="Show the whole traceback.")
def test(kata: str, as_json: bool, traceback: bool) -> None:
    """Judge a kata; without a name, all up to the first unsolved.

    Katas that are solved, and optional ones, are judged by name only.
    """
    session = Session()
    solved = session.progress.solved(session.catalog)
    katas = [session.find(kata)] if kata else [each for each in session.catalog.required if each.slug not in solved]
    passed = _judge_all(session, katas, as_json, traceback)
    if not katas and not as_json:
        console.print(all_solved(), style="bold green")
    raise SystemExit(0 if passed else 1)


@click.command()
@click.argument("kata", default="", shell_complete=names)
@click.option("--step", default=0, help="Of which step; else where you stand.")
def hint(kata: str, step: int) -> None:
    """Show one more hint for the step you are at."""
    session = Session()
    wanted = session.find(kata) if kata else session.suggested
    if wanted is None:
        console.print(all_solved())
        return
    if step and step not in wanted.steps:
        warn(f"{wanted.code} has no step {step}: it has {', '.join(map(str, wanted.steps))}.")
        raise SystemExit(2)
    hints = session.take_hint(wanted, step)
    if not hints.taken:
        lesson = session.relative(wanted.lesson)
        warn(f"There are no hints for step {hints.step} of {wanted.code}. The lesson: {lesson}")
        raise SystemExit(2)
    another = command("hint", KATA=wanted.number, STEP=step)
    more = (
        f"{hints.left} more: {another}"
        if hints.left
        else f"That was the last. {command('solution', KATA=wanted.number)}"
    )
    console.print(hint_text(wanted, hints))
    console.print(f"\n{more}", style="dim", soft_wrap=True)  # a command stays whole, to be copied


@click.command()
@click.argument("kata", shell_complete=names)
def solution(kata: str) -> None:
    """Print the reference solution."""
    session = Session()
    wanted = session.find(kata)
    if session.progress.status(wanted) != "solved":
        warn(f"{wanted.code} is not solved yet; a hint may be enough: {command('hint', KATA=wanted.number)}")
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


@click.command()
@click.option("--stop", is_flag=True, help="End it now.")
def judge(stop: bool) -> None:
    """Show the judge's server, which all commands share."""
    root = find_root()
    try:
        standing = shared_server.end(root) if stop else shared_server.status(root)
    except TimeoutError:
        warn("The judge's server does not answer." + (" Nobody asks it any more." if stop else " dojo judge --stop"))
        raise SystemExit(1) from None
    except OSError as error:
        warn(f"There is no server that commands could share, so each has its own: {error}")
        raise SystemExit(1) from None
    if standing is None:
        console.print("No server of the judge runs for this clone.")
    elif stop:
        console.print(f"The judge's server was {standing}; it ends. The next verdict starts another.")
    else:
        console.print(f"The judge's server is {standing}.")
        console.print("It ends ten minutes after the last who asked has left. To end it now: dojo judge --stop")


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
                console.print(render(verdict, kata.title, traceback, advice=""))
                if verdict.verdict != "passed" or kata is katas[-1]:  # else the next verdict says what is next
                    console.print(f"\n{after_verdict(verdict, then(session, kata))}", soft_wrap=True)
            if verdict.verdict != "passed":
                return False
    return True


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _room(session: Session, address: str, code: str, name: str) -> Room:
    """The room to join; ends the program where it cannot be any."""
    from ..learner.room import Room, remembered

    example = command("watch", ROOM=address or "192.168.1.5:8642", CODE=code or "ABCDEF", NAME=name or "Ada")
    if not (address and code):
        warn(f"A room has an address and a code; its leader shows both. Type: {example}")
        raise SystemExit(2)
    if not name and not remembered(session.root, code):
        if not _terminal():
            warn(f"What do you want to be called in the room? Type: {example}")
            raise SystemExit(2)
        name = click.prompt("What do you want to be called in the room")
    try:
        return Room(session.root, address, code, name)
    except ValueError as error:
        warn(f"{error}.")
        raise SystemExit(2) from None


def _watch(session: Session, kata: Kata | None, room: Room | None = None) -> int:
    from ..learner.watch import watch as loop

    left = loop(session, kata, _terminal(), room)
    if not left.train:
        return left.status
    wait_passively()
    from .train import train_preset  # imports torch

    return train_preset(session)
