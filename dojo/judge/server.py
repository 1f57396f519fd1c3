"""The server: torch and the rest imported once, and a forked child for each verdict.

It reads requests and answers each with a verdict, a JSON object a line. A request that comes while another is judged
puts an end to that one, whose answer then says so. Between requests it prepares for the next one.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from ..curriculum.catalog import Catalog
from ..sandbox.loader import Workspace
from ..spec.errors import Stop
from ..spec.isolation import hide_gpus
from ..spec.torch_internals import load_compiler
from .messages import Request, line_of, request_of
from .run import KataRun, judge
from .supervisor import REQUESTS, supervise


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # a child that is being watched is ended first
    hide_gpus()
    torch.set_num_threads(1)  # small tensors are 20 times slower on several; and a fork after threads hangs
    gc.collect()
    gc.freeze()
    forks = hasattr(os, "fork")
    preparations: dict[str, Iterator[None]] = {}
    with open(REQUESTS, "rb", buffering=0, closefd=False) as requests:  # the supervisor must see the next one come
        for line in requests:
            request = request_of(line)
            sys.stdout.write(line_of(supervise(request) if forks else judge(request)))
            sys.stdout.flush()
            if forks:
                preparation = preparations.setdefault(request.slug, prepare(request))
                while not _waiting() and next(preparation, "over") != "over":
                    pass


def prepare(request: Request) -> Iterator[None]:
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
    load_compiler()  # for some later kata: a second in which no request is heard, so it comes last
    gc.freeze()


def _waiting() -> bool:
    """Whether the next request is there, or the end of them."""
    return bool(select.select([REQUESTS], [], [], 0)[0])


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
