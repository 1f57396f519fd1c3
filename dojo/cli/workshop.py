"""The verbs of who leads a workshop: `bundle`, `room`. No torch here."""

from __future__ import annotations

import click

from ..learner.session import Session
from ..system.console import warn


@click.command()
@click.option("--port", default=0, help="Where it listens; else at 8642, or the next that is free.")
@click.option("--new", is_flag=True, help="Begin a new room; the one that was there is put aside.")
def room(port: int, new: bool) -> None:
    """Open a room, and a page that shows who is stuck, and where."""
    try:
        from ..workshop.serve import RoomError, serve
    except ModuleNotFoundError as error:
        warn(f"A room needs {error.name}: python -m pip install -c constraints.txt -e '.[room]'")
        raise SystemExit(1) from None
    try:
        serve(Session(), port, new)
    except RoomError as error:
        warn(str(error))
        raise SystemExit(1) from None
