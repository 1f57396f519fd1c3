"""The verbs of who leads a workshop: `bundle`, `room`. No torch here."""

from __future__ import annotations

from pathlib import Path

import click

from ..learner.session import Session
from ..system.command import python
from ..system.console import console, count, warn


@click.command()
@click.option("--port", default=0, help="Where it listens; else at 8642, or the next that is free.")
@click.option("--new", is_flag=True, help="Begin a new room; the one that was there is put aside.")
def room(port: int, new: bool) -> None:
    """Open a room, and a page that shows who is stuck, and where."""
    session = Session()
    try:
        from ..workshop.serve import RoomError, serve
    except ModuleNotFoundError as error:
        what = "-e '.[room]'" if (session.root / "pyproject.toml").is_file() else "'gpt-katas[room]'"
        warn(f"A room needs {error.name}: {python()} -m pip install -c constraints.txt {what}")
        raise SystemExit(1) from None
    try:
        serve(session, port, new)
    except RoomError as error:
        warn(str(error))
        raise SystemExit(1) from None


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--platforms", default="linux,macos-arm,windows", help="Also: linux-arm, macos-intel.")
@click.option("--pythons", default="", help="Such as 3.11,3.12; else each from 3.10 to the newest.")
@click.option("--data", default="all", help="Which texts: all, none, or their names.")
@click.option("--weights", default="", help="Which published models, such as gpt2,smollm2.")
@click.option("--cuda", is_flag=True, help="For Linux take the torch for CUDA, which is five times as large.")
def bundle(folder: Path, platforms: str, pythons: str, data: str, weights: str, cuda: bool) -> None:
    """Make a folder from which machines are set up with no network."""
    from ..workshop.bundle import Bundle, BundleError
    from ..workshop.wheels import PLATFORMS, PYTHONS, Target

    asked = _words(pythons) or list(PYTHONS)
    for name, known in [*((name, PLATFORMS) for name in _words(platforms)), *((name, PYTHONS) for name in asked)]:
        if name not in known:
            warn(f"There is nothing for {name}. There is: {', '.join(known)}.")
            raise SystemExit(2)
    targets = [Target(PLATFORMS[name], python, cuda) for name in _words(platforms) for python in asked]
    made = Bundle(Session().root, folder.expanduser().absolute(), lambda line: console.print(line, soft_wrap=True))
    try:
        made.make(targets, None if data == "all" else _words(data.replace("none", "")), _words(weights))
    except BundleError as error:
        warn(str(error))
        raise SystemExit(1) from None
    console.print(f"\n{folder}: {made.size / 1e9:.1f} GB. Whoever gets it opens START-HERE.html.", soft_wrap=True)
    if made.lacking:
        warn(f"It is not whole: {count(len(made.lacking), 'thing')} could not be had, as said above.")
        raise SystemExit(1)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
