"""The verbs that look after a clone: its record of progress, its version, its health. No torch here."""

from __future__ import annotations

from pathlib import Path

import click

from ..learner import doctor as doctors
from ..learner import store as record
from ..learner import update as updates
from ..learner.session import School, show_progress
from ..learner.store import Katas, NewerRecord
from ..system.console import console, count, warn

PLACE = click.Path(path_type=Path)
NOT_IN_IT = "Your code is not in it: that is in katas/, and a kata counts as solved where the file that passed stands."


@click.command()
@click.option("--export", "target", type=PLACE, help="Write the record to a file.")
@click.option("--import", "source", type=PLACE, help="Merge the record in a file into this one.")
def progress(target: Path | None, source: Path | None) -> None:
    """Show the record in words, or carry it to another machine. It does not hold your code."""
    school = School()
    if (target or source) and school.progress.newer:
        raise SystemExit(1)
    if source:
        katas = _read(source.expanduser())
        before = sum(map(school.progress.attempts, school.catalog.katas))
        school.progress.take_in(katas)
        if not school.save():
            raise SystemExit(1)
        new = sum(map(school.progress.attempts, school.catalog.katas)) - before
        console.print(f"Taken in from {source}: {count(len(katas), 'kata')}, {count(new, 'attempt')} new.\n{NOT_IN_IT}")
    if target:
        _export(target.expanduser(), school.progress.katas)
        console.print(f"Written to {target}. On the other machine: make progress IMPORT={target.name}\n{NOT_IN_IT}")
    if not (source or target):
        show_progress(school)


@click.command()
def update() -> None:
    """Bring the newest version of the katas into this clone; what you wrote stays as it is."""
    school = School()
    try:
        found = updates.update(school.root)
    except updates.UpdateError as error:
        warn(str(error))
        raise SystemExit(1) from None
    if found is None:
        console.print("This is the newest version already.")
        return
    console.print(f"Updated by {count(found.commits, 'commit')}, from {found.old[:7]} to {found.new[:7]}.")
    for words, katas in (
        ("New", found.added),
        ("Stubs in which you had not written, renewed", found.renewed),
        ("Yours, as you left them; copies are in .dojo/backups", [kata for kata in found.kept if kata.file.is_file()]),
        ("No longer there; what you wrote is in .dojo/backups", found.gone),
    ):
        if katas:
            console.print(f"{words}: {', '.join(kata.code for kata in katas)}")
    if found.packages:
        console.print("It needs other packages. make installs them; or: python -m pip install -c constraints.txt -e .")
    for kata, diff in found.contracts.items():
        school.progress.reopen(kata)
        kept = found.kept[kata].relative_to(school.root).as_posix()
        console.print(f"\nThe contract of {kata.code} · {kata.title} changed.", style="bold yellow")
        for line in diff.splitlines():
            console.print(line, style={"+": "green", "-": "red"}.get(line[:1], "dim"), soft_wrap=True)
        console.print(f"Your file is as you left it, with a copy in {kept} and this difference beside it.")
        console.print(f"Bring it in line, then make test KATA={kata.number}")
    if found.contracts:
        school.save()


@click.command()
def doctor() -> None:
    """Look this machine over, and say what to mend."""
    raise SystemExit(doctors.main())


def _read(path: Path) -> Katas:
    """The katas of an exported record; ends the program where they cannot be had."""
    try:
        return record.read(path)
    except FileNotFoundError:
        warn(f"There is no file {path}. On the other machine: make progress EXPORT={path.name}")
    except OSError as error:
        warn(f"{path} cannot be read: {error.strerror}.")
    except NewerRecord as error:
        warn(f"{path} is of a newer version of this program: {error}. Bring this one up to date: make update")
    except ValueError as error:
        warn(f"{path} is no record of progress, or damaged: {error}. Nothing was changed.")
    raise SystemExit(1)


def _export(path: Path, katas: Katas) -> None:
    """Write the record to a file of its own, over an older record but over nothing else."""
    try:
        if path.exists():
            record.read(path)
        record.write(path, katas)
    except (ValueError, NewerRecord):
        warn(f"{path} is there already and is something else. Take another name.")
        raise SystemExit(1) from None
    except OSError as error:
        warn(f"{path} cannot be written: {error.strerror}.")
        raise SystemExit(1) from None
