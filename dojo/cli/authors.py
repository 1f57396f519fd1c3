"""The verbs of authors: `stubs`, `index` and `check`."""

from __future__ import annotations

import subprocess
import sys
import time

import click

from ..curriculum import notebooks
from ..curriculum.catalog import Catalog
from ..curriculum.stubs import outdated, write
from ..learner.session import Session
from ..system.command import command
from ..system.console import console, count, warn
from ..system.root import find_root


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a stub is out of date.")
def stubs(check: bool) -> None:
    """Write the stubs and notebooks that are missing or out of date.

    Work in a stub is left alone.
    """
    root = find_root()
    katas = Catalog(root).katas
    stale = [(kata.file, write, kata) for kata in katas if outdated(kata)]
    stale += [(notebooks.notebook_file(kata), notebooks.write, kata) for kata in notebooks.outdated(katas)]
    for file, write_it, kata in stale:
        if not check:
            write_it(kata)
        state = f"is out of date: {command('stubs')}" if check else "written"
        console.print(f"{file.relative_to(root).as_posix()} {state}")
    if not stale:
        console.print("Every stub is as its solution makes it, and every notebook as its lesson.")
    raise SystemExit(1 if check and stale else 0)


@click.command()
@click.argument("name", metavar="[KATA]", required=False)
def index(name: str | None) -> None:
    """Work out the answers of all known mistakes.

    Those of a kata, or of all katas whose answers are out of date.
    """
    from ..judge import index_build

    session = Session()
    katas = [session.find(name)] if name else session.catalog.katas
    katas = [kata for kata in katas if name or not index_build.fitting_file(kata)]
    refused = 0
    for kata in katas:
        started = time.perf_counter()
        try:
            made, path = index_build.build(kata)
        except (index_build.BuildError, OSError) as error:
            warn(f"{kata.code}: no index: {error}")
            refused += 1
            continue
        console.print(
            f"{kata.code}: {count(len(made.mistakes), 'mistake')}, {count(len(made.checks), 'check')}, "
            f"{path.stat().st_size / 1000:.0f} KB, {time.perf_counter() - started:.0f} s, "
            f"{path.relative_to(session.root).as_posix()}"
        )
    if not katas:
        console.print("The index of every kata is up to date.")
    raise SystemExit(1 if refused else 0)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
def check(arguments: tuple[str, ...]) -> None:
    """Prove what the repository promises, and count it.

    Extra arguments go to pytest.
    """
    command = [sys.executable, "-m", "tests.run_all", *arguments]
    raise SystemExit(subprocess.run(command, cwd=find_root()).returncode)
