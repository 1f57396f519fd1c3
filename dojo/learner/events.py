"""What may happen while one waits: a file is saved, a verdict comes in, a race ends.

Each is noticed by a thread of its own, which calls what it was given for that.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from ..curriculum.catalog import Catalog, Kata
from ..judge.client import Judge, JudgeError
from ..judge.verdict import Verdict
from ..system.files import content_hash
from ..system.processes import end, environment, start

DEBOUNCE = 40  # milliseconds: an editor that saves in several moves is done by then
LOOK = 50  # milliseconds between looks where the system does not tell of changes


def watch_files(catalog: Catalog, saved: Callable[[Kata], None], done: threading.Event) -> None:
    """Call `saved` for every kata whose file holds something else than before, until `done`; not for a missing one."""
    known = {kata.slug: content_hash(kata.file) for kata in catalog.katas}

    def look() -> None:
        for kata in catalog.katas:
            now = content_hash(kata.file)
            if now is not None and now != known[kata.slug]:
                known[kata.slug] = now
                saved(kata)

    folder = catalog.root / "katas"
    while not done.is_set():
        for _ in _changes(folder, done):
            look()
        done.wait(0.2)  # the folder is gone: perhaps it comes back
        look()


def _changes(folder: Path, done: threading.Event) -> Iterator[None]:
    """Something below `folder` changed, again and again. Ends when the folder does."""
    from watchfiles import watch

    each = partial(watch, folder, watch_filter=None, stop_event=done, raise_interrupt=False, yield_on_timeout=True)
    for polling in (None, True):  # where the system has no watches left, files are looked at in turn
        with contextlib.suppress(OSError, RuntimeError):
            for _ in each(force_polling=polling, debounce=DEBOUNCE, step=10, rust_timeout=500, poll_delay_ms=LOOK):
                if not folder.is_dir():
                    return
                yield
            return


class Verdicts:
    """Asks the judge; only the latest question matters.

    judged: called with each verdict and the number of its question.
    failed: called with the reason, where there is no verdict, and that number.
    """

    def __init__(self, judge: Judge, judged: Callable[[Verdict, int], None], failed: Callable[[str, int], None]):
        self.judge, self.judged, self.failed = judge, judged, failed
        self.run = 0  # the number that the answer to the latest question bears
        self._asked: SimpleQueue[int] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, kata: Kata, solved: frozenset[str]) -> None:
        """Ask for a verdict on a kata, in place of the one under way."""
        self.run += 1
        self.judge.ask(kata, solved)
        self._asked.put(self.run)

    def _listen(self) -> None:
        while True:
            run = self._asked.get()
            try:
                self.judged(self.judge.answer(), run)
            except JudgeError as error:
                self.failed(str(error), run)


class Bench:
    """Runs `dojo bench` for one kata in a process of its own.

    raced: called with what that has printed, once it is done, and its number.
    """

    def __init__(self, root: Path, raced: Callable[[str, int], None]):
        self.root, self.raced = root, raced
        self.run = 0  # the number of the latest one
        self._process: subprocess.Popen[str] | None = None

    @property
    def busy(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, kata: Kata, columns: int) -> None:
        """Begin, with tables for a terminal so wide; what ran before is ended."""
        self.stop()
        self._process = start(
            [sys.executable, "-m", "dojo", "bench", kata.code, "--device", "cpu"],
            self.root,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env=environment(DOJO_ROOT=str(self.root), COLUMNS=str(columns), PYTHONIOENCODING="utf-8"),
        )
        threading.Thread(target=self._listen, args=(self._process, self.run), daemon=True).start()

    def stop(self) -> None:
        """End it, if it runs, without waiting; its number is no longer the latest."""
        self.run += 1
        if self.busy:
            threading.Thread(target=end, args=(self._process, 3.0)).start()  # the program waits for it at its end
        self._process = None  # one that still comes to its end is not busy: the next may begin

    def _listen(self, process: subprocess.Popen[str], run: int) -> None:
        with contextlib.suppress(ValueError):  # ended, and its output closed
            output, _ = process.communicate()
            self.raced(output.strip(), run)
