"""What may happen while one waits: a file is saved, a key is pressed, a verdict comes in. All go into one queue."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ..curriculum.catalog import Catalog, Kata
from ..judge.client import Judge, JudgeError
from ..system.files import content_hash

SETTLE = 40  # milliseconds: an editor that saves in several moves is done by then
LOOK = 50  # milliseconds between looks where the system does not tell of changes


@dataclass(frozen=True)
class Event:
    """`kind` is saved (value: the slug), key, verdict (a dictionary), trouble or raced (text), resized or stop."""

    kind: str
    value: Any = None
    run: int = 0


Events = SimpleQueue  # of Event


def watch_files(catalog: Catalog, events: Events, done: threading.Event) -> None:
    """Tell of every kata whose file holds something else than before, until `done`; a missing file is not told of."""
    known = {kata.slug: content_hash(kata.file) for kata in catalog.katas}

    def look() -> None:
        for kata in catalog.katas:
            now = content_hash(kata.file)
            if now is not None and now != known[kata.slug]:
                known[kata.slug] = now
                events.put(Event("saved", kata.slug))

    folder = catalog.root / "katas"
    while not done.is_set():
        for _ in _changes(folder, done):
            look()
        done.wait(0.2)  # the folder is gone: perhaps it comes back
        look()


def _changes(folder: Path, done: threading.Event) -> Iterator[Any]:
    """Something below `folder` changed, again and again. Ends when the folder does."""
    from watchfiles import watch

    options = {"stop_event": done, "debounce": SETTLE, "step": 10, "rust_timeout": 500, "watch_filter": None}
    told = {"yield_on_timeout": True, "raise_interrupt": False, "poll_delay_ms": LOOK}
    for polling in (None, True):  # where the system has no watches left, files are looked at in turn
        with contextlib.suppress(OSError, RuntimeError):
            for changes in watch(folder, force_polling=polling, **options, **told):
                if not folder.is_dir():
                    return
                yield changes
            return


def read_keys(events: Events) -> None:
    """Tell of every key that is pressed, until the input ends."""
    with contextlib.suppress(EOFError, OSError, ValueError):
        while typed := _typed():
            for key in typed if typed.isprintable() else [typed]:  # an arrow key sends several characters
                events.put(Event("key", key))


def _typed() -> str:
    if sys.platform == "win32":
        import readchar

        return readchar.readkey()
    # Not readchar here: it throws away what was typed before it asks.
    return os.read(sys.stdin.fileno(), 64).decode(errors="replace")


class Verdicts:
    """Asks the judge, and puts its answers into the queue; only the latest question matters."""

    def __init__(self, judge: Judge, events: Events):
        self.judge, self.events = judge, events
        self.run = 0
        self._asked: SimpleQueue[int] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, kata: Kata, solved: frozenset[str]) -> int:
        """Ask for a verdict on a kata, in place of the one under way; returns the number that its event will bear."""
        self.run += 1
        self.judge.ask(kata, solved)
        self._asked.put(self.run)
        return self.run

    def _listen(self) -> None:
        while True:
            run = self._asked.get()
            try:
                event = Event("verdict", self.judge.answer(), run)
            except JudgeError as error:
                event = Event("trouble", str(error), run)
            except (OSError, ValueError):  # the judge was closed meanwhile
                return
            self.events.put(event)


class Bench:
    """Runs `dojo bench` for one kata in a process of its own, and puts what that has said into the queue."""

    def __init__(self, root: Path, events: Events):
        self.root, self.events = root, events
        self.run = 0  # the number that the event of the latest one bears
        self._process: subprocess.Popen[str] | None = None

    @property
    def busy(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, kata: Kata, columns: int) -> None:
        """Begin, with tables for a terminal so wide; what ran before is ended."""
        self.stop()
        told = {"DOJO_ROOT": str(self.root), "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dojo", "bench", kata.code, "--device", "cpu"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            cwd=self.root,
            env=os.environ | told,
            start_new_session=True,  # Ctrl-C is for the loop, which then ends this
        )
        threading.Thread(target=self._listen, args=(self._process, self.run), daemon=True).start()

    def stop(self) -> None:
        """End it, if it runs, without waiting; nothing of it comes into the queue any more."""
        self.run += 1
        if self.busy:
            threading.Thread(target=_interrupt, args=(self._process,)).start()  # the program waits for it at its end
        self._process = None  # one that still comes to its end is not busy: the next may begin

    def _listen(self, process: subprocess.Popen[str], run: int) -> None:
        said, _ = process.communicate()
        self.events.put(Event("raced", said.strip(), run))


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Ask it to end, so that it ends what it has started; after a while, do it."""
    process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()


@contextlib.contextmanager
def terminal(events: Events) -> Iterator[None]:
    """Keys come one by one and are not shown, meanwhile; whatever ends it, the terminal is as it was."""
    names = ("SIGTERM", "SIGHUP", "SIGINT")
    before = {
        number: signal.signal(number, lambda number, frame: events.put(Event("stop", number)))
        for number in (getattr(signal, name) for name in names if hasattr(signal, name))
    }
    if hasattr(signal, "SIGWINCH"):
        before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda number, frame: events.put(Event("resized")))
    restore = _without_echo()
    try:
        yield
    finally:
        restore()
        for number, handler in before.items():
            signal.signal(number, handler)


def _without_echo() -> Any:
    try:
        import termios
        import tty
    except ImportError:  # Windows has no such settings, and readchar needs none
        return lambda: None
    if not os.isatty(sys.stdin.fileno()):
        return lambda: None
    settings = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin.fileno())
    return lambda: termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)
