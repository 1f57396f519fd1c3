"""The verbs of authors: `stubs` and `check`."""

from __future__ import annotations

import subprocess
import sys

import click

from ..curriculum.catalog import Catalog, find_root
from ..curriculum.stubs import outdated, write
from ..system.console import console


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a stub is out of date.")
def stubs(check: bool) -> None:
    """For authors: write the stubs that are missing or out of date; files with work in them are left alone."""
    root = find_root()
    stale = [kata for kata in Catalog(root).katas if outdated(kata)]
    for kata in stale:
        if not check:
            write(kata)
        state = "is out of date: make stubs" if check else "written"
        console.print(f"{kata.file.relative_to(root).as_posix()} {state}")
    if not stale:
        console.print("Every stub is as its solution makes it.")
    raise SystemExit(1 if check and stale else 0)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
def check(arguments: tuple[str, ...]) -> None:
    """Prove what the repository promises, and count it. Extra arguments go to pytest."""
    command = [sys.executable, "-m", "tests.run_all", *arguments]
    raise SystemExit(subprocess.run(command, cwd=find_root()).returncode)
