"""The verbs that look after a clone: its record of progress, its version, its health. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..learner import store
from ..learner.board import show_progress
from ..learner.session import Session
from ..learner.store import Katas, NewerRecord
from ..system.command import command
from ..system.console import console, count, warn
from ..system.git import UpdateError

if TYPE_CHECKING:
    from ..learner.update import Work

FILE = click.Path(path_type=Path)
NOT_IN_IT = "Your code is not in it: that is in katas/, and a kata counts as solved where the file that passed stands."


@click.command()
@click.option("--export", "target", type=FILE, help="Write the record to a file.")
@click.option("--import", "source", type=FILE, help="Merge the record in a file into this one.")
def progress(target: Path | None, source: Path | None) -> None:
    """Show what you have done; export and import the record.

    The record does not hold your code.
    """
    session = Session()
    if (target or source) and session.progress.newer:
        raise SystemExit(1)
    if source:
        katas = _read(source.expanduser())
        before = sum(map(session.progress.attempts, session.catalog.katas))
        session.progress.take_in(katas)
        if not session.save():
            raise SystemExit(1)
        new = sum(map(session.progress.attempts, session.catalog.katas)) - before
        console.print(f"Taken in from {source}: {count(len(katas), 'kata')}, {count(new, 'attempt')} new.\n{NOT_IN_IT}")
    if target:
        _export(target.expanduser(), session.progress.katas)
        console.print(
            f"Written to {target}. On the other machine: {command('progress', IMPORT=target.name)}\n{NOT_IN_IT}"
        )
    if not (source or target):
        show_progress(session)


@click.command()
@click.argument("folder", type=FILE)
def init(folder: Path) -> None:
    """Write the katas into an empty folder: as good as a clone."""
    from ..learner.init import InitError
    from ..learner.init import init as write

    try:
        write(folder.expanduser().absolute())
    except InitError as error:
        warn(str(error))
        raise SystemExit(1) from None
    console.print(f"The katas are in {folder}. Go on there:\n\n    cd {folder}\n    {command('start')}")


@click.command()
def update() -> None:
    """Bring the newest katas into this clone; what you wrote stays."""
    from ..learner import update as updates
    from ..learner.init import commit_installed

    session = Session()
    try:
        commit_installed(session.root)
        brought = updates.update(session.root)
    except UpdateError as error:
        warn(str(error))
        raise SystemExit(1) from None
    if brought is None:
        console.print("This is the newest version already.")
        return
    console.print(f"Updated by {count(brought.commits, 'commit')}, from {brought.old[:7]} to {brought.new[:7]}.")
    yours = [work.kata for work in brought.work if work.kata.file.is_file()]
    for words, katas in (
        ("New", brought.added),
        ("Stubs in which you had not written, renewed", brought.renewed),
        ("Yours, as you left them; copies are in .dojo/backups", yours),
        ("No longer there; what you wrote is in .dojo/backups", brought.gone),
    ):
        if katas:
            console.print(f"{words}: {', '.join(kata.code for kata in katas)}")
    if brought.packages:
        console.print("It needs other packages. make installs them; or: python -m pip install -c constraints.txt -e .")
    if brought.news:
        console.print(f"\nWhat is new:\n\n{brought.news}")
    changed = [work for work in brought.work if work.contract]
    for work in changed:
        _show_contract(session, work)
    if changed:
        session.save()


@click.command()
def doctor() -> None:
    """Look this machine over, and say what to mend."""
    from ..learner import doctor as doctors

    raise SystemExit(doctors.main())


def _show_contract(session: Session, work: Work) -> None:
    """Show how the contract of a kata changed; the learner's file has to pass again."""
    kata = work.kata
    session.progress.reopen(kata)
    console.print(f"\nThe contract of {kata.code} · {kata.title} changed.", style="bold yellow")
    for line in work.contract.splitlines():
        console.print(line, style={"+": "green", "-": "red"}.get(line[:1], "dim"), soft_wrap=True)
    backup = session.relative(work.backup)
    console.print(f"Your file is as you left it, with a copy in {backup} and this difference beside it.")
    console.print(f"Bring it in line, then {command('test', KATA=kata.number)}")


def _read(path: Path) -> Katas:
    """The katas of an exported record; ends the program where they cannot be had."""
    try:
        return store.read(path)
    except FileNotFoundError:
        warn(f"There is no file {path}. On the other machine: {command('progress', EXPORT=path.name)}")
    except OSError as error:
        warn(f"{path} cannot be read: {error.strerror}.")
    except NewerRecord as error:
        warn(f"{path} is of a newer version of this program: {error}. Bring this one up to date: {command('update')}")
    except ValueError as error:
        warn(f"{path} is no record of progress, or damaged: {error}. Nothing was changed.")
    raise SystemExit(1)


def _export(path: Path, katas: Katas) -> None:
    """Write the record to a file of its own, over an older record but over nothing else."""
    try:
        if path.exists():
            store.read(path)
        return store.write(path, katas)
    except (ValueError, NewerRecord):
        warn(f"{path} is there already and is something else. Take another name.")
    except OSError as error:
        warn(f"{path} cannot be written: {error.strerror}.")
    raise SystemExit(1)
