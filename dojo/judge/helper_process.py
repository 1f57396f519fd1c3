"""A second process that checks half of the claims of a run, so that two cores shorten the wait.

It only ever says that a claim holds. What it does not say that of, the run checks itself, and so the second process
has no part in what is wrong.
"""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from ..spec.claims import Claim

WAIT = 1.0  # seconds after which a claim that the helper is still at is taken from it


def half(claims: Sequence[Claim], seconds: Mapping[str, float]) -> list[Claim]:
    """The claims for a helper: about half of the time up to each claim; every other one where no time is known."""
    chosen = []
    own = others = 0.0
    for claim in claims:
        if others < own:
            chosen.append(claim)
            others += seconds.get(claim.name, 1.0)
        else:
            own += seconds.get(claim.name, 1.0)
    return chosen


class HelperProcess:
    """Checks claims in order, by `holds`, in a process forked now, up to the first that does not hold."""

    def __init__(self, claims: Sequence[Claim], holds: Callable[[Claim], bool]):
        self.numbers = {claim.name: number for number, claim in enumerate(claims)}
        shared = mmap.mmap(-1, 8 * max(1, len(claims)))
        self.seconds = memoryview(shared).cast("d")  # that each claim took; 0 until it is known to hold
        self.process = os.fork() if claims else None
        if self.process == 0:
            try:
                for number, claim in enumerate(claims):
                    started = time.perf_counter()
                    if not holds(claim):
                        break
                    self.seconds[number] = max(time.perf_counter() - started, 1e-6)
            finally:
                os._exit(0)

    def has(self, claim: Claim) -> bool:
        """Whether a claim is one of the helper's."""
        return claim.name in self.numbers

    def seconds_for(self, claim: Claim) -> float:
        """How many seconds it took to see that a claim holds, once that is known; 0 where it is not."""
        if not self.has(claim):
            return 0.0
        number = self.numbers[claim.name]
        deadline = time.monotonic() + WAIT
        while self.process and not self.seconds[number]:
            if os.waitpid(self.process, os.WNOHANG)[0]:
                self.process = None
            elif time.monotonic() > deadline:
                self.close()
            else:
                time.sleep(0.001)
        return self.seconds[number]

    def close(self) -> None:
        """End the process."""
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            self.process = None
