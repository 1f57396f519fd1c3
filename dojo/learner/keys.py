"""The keys of the watch loop: which there are, reading them, and the terminal while they are read."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

from rich.text import Text

from ..curriculum.catalog import Kata
from ..system.processes import on_signals

INTERRUPT = "\x03"  # Ctrl-C, which Windows hands over as a key; elsewhere it is a signal
SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGWINCH")  # the last one: the terminal has another size
KEYS = {
    "h": "next hint",
    "n": "next kata",
    "p": "previous",
    "l": "list",
    "s": "solution",
    "r": "run again",
    "b": "race",
    "x": "reset",
    "t": "traceback",
    "q": "quit",
}
ROOM_KEYS = {"c": "show the room your code", "v": "leave the room"}


def keys_text(kata: Kata, room: bool = False, shown: bool = False) -> Text:
    """The keys that do something at this kata; more of them in a room, where one's code may be `shown`."""
    keys = {key: what for key, what in KEYS.items() if key != "b" or kata.races.is_file()}
    if room:
        keys |= ROOM_KEYS | ({"c": "hide your code"} if shown else {})
    return Text(" · ".join(f"{key} {what}" for key, what in keys.items()), "dim")


def read_keys(pressed: Callable[[str], None]) -> None:
    """Call `pressed` for every key, until the input ends; an arrow is one key of several characters."""
    with contextlib.suppress(EOFError, OSError, ValueError):
        while typed := _typed():
            for key in typed if typed.isprintable() else [typed]:
                pressed(key)


def _typed() -> str:
    """What was typed, once there is something; nothing where the input has ended."""
    if sys.platform == "win32":
        import msvcrt

        key = msvcrt.getwch()
        return "\0" + msvcrt.getwch() if key in "\0\xe0" else key  # an arrow or function key sends two characters
    return os.read(sys.stdin.fileno(), 64).decode(errors="replace")


@contextlib.contextmanager
def terminal(signalled: Callable[[int, object], None]) -> Iterator[None]:
    """Keys come one by one and are not shown, and signals are handled; whatever ends it, all is as it was."""
    with on_signals(SIGNALS, signalled):
        if sys.platform == "win32" or not sys.stdin.isatty():  # Windows has no such setting, and getwch needs none
            yield
            return
        import termios
        import tty

        settings = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin.fileno())
        try:
            yield
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)
