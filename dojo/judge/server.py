"""The server: torch and the rest imported once, and a forked child for each verdict.

`python -m dojo.judge.server STAMP [FILE]` answers whoever connects to the listening socket that it was given as an open
file of that number; without one, the process that started it, by its standard streams. STAMP says by which files it
judges. Between requests it prepares for the next one. Where no process can be forked, `spawn_server` takes its place.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from ..curriculum.catalog import Catalog
from ..sandbox.loader import Workspace
from ..spec.errors import Stop
from ..spec.isolation import hide_gpus
from ..spec.torch_internals import load_compiler
from .messages import Request
from .request_queue import LOOK, RequestQueue
from .run import KataRun
from .supervisor import supervise


def main(stamp: str, *listening: str) -> None:
    """Serve until nobody asks any more."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # a child that is being watched is ended first
    hide_gpus()
    torch.set_num_threads(1)  # small tensors are 20 times slower on several; and a fork after threads hangs
    gc.collect()
    gc.freeze()
    listener = socket.socket(fileno=int(listening[0])) if listening else None
    if listener is not None:
        listener.set_inheritable(False)
    with contextlib.closing(RequestQueue(stamp, listener)) as requests:
        _serve(requests)


def _serve(requests: RequestQueue) -> None:
    preparations: dict[str, Iterator[None]] = {}
    preparation: Iterator[None] = iter(())
    while True:
        requests.attend()
        if request := requests.next():
            requests.answer(supervise(request, requests))
            preparation = preparations.setdefault(request.slug, prepare(request, requests))
        elif requests.over():
            return
        else:
            with _ended_where_it_stands():
                over = next(preparation, "over")
            if over:
                requests.attend(LOOK)


@contextlib.contextmanager
def _ended_where_it_stands() -> Iterator[None]:
    """Have SIGTERM end this process at once meanwhile: what judges would take SystemExit for the code's own."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def prepare(request: Request, requests: RequestQueue) -> Iterator[None]:
    """Judge the solution in this process, bit by bit, while the learner reads the verdict and nobody waits.

    What that imports and draws and sets up for the first time, every child to come then has from the start.
    """
    if not torch.accelerator.is_available():  # else a backward pass starts a thread, and children have none then
        catalog = Catalog(Path(request.root))
        kata = catalog.by_slug(request.slug)
        with contextlib.suppress(Exception, Stop):  # what is wrong with a kata its verdict says
            run = KataRun(kata, Workspace(catalog), kata.solution)
            yield
            run.load(slow=False)
            for claim in run.suite.claims:
                yield
                if not claim.slow:
                    run.check(claim)
    yield
    if requests.present:  # for some later kata: a second in which no request is heard, and 70 MB
        load_compiler()
    gc.freeze()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
