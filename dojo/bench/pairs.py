"""Two programs on one machine, pair by pair, in an order that turns round: the ratio of medians. No torch here.

A program tells how long it took by printing, as its last line, a JSON object with `seconds`; one that does not is timed
on the clock, from start to end, and then so is the other.
"""

from __future__ import annotations

import functools
import json
import queue
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..system.processes import end, lines_of, start
from .results import load
from .rounds import quartiles

LIMIT = 3600.0  # seconds that a program may take
NAMED = 40  # characters of a command that name it


class PairError(Exception):
    """A program that could not be run to a good end; the message names it and says how it ended."""


def called(command: str) -> str:
    """A name for a line for the shell: the line, with folders left out, which are nobody else's business."""
    return " ".join(word.rpartition("/")[2] or word for word in command.split())[:NAMED]


@dataclass
class Program:
    """A program to run: a list of arguments, or a line for the shell."""

    name: str
    command: list[str] | str
    folder: Path
    clock: list[float] = field(default_factory=list)  # seconds of each run, from start to end
    results: list[dict[str, Any]] = field(default_factory=list)  # what each run printed last, empty if no JSON object

    @property
    def seconds(self) -> list[float] | None:
        """What each run took as the program tells it; None where it does not."""
        printed = [result.get("seconds") for result in self.results]
        numbers = [float(value) for value in printed if isinstance(value, (int, float))]
        return numbers if len(numbers) == len(printed) else None

    def run(self, on_line: Callable[[str], Any] = lambda line: None, limit: float = LIMIT) -> None:
        """Run it once. Raises PairError when it cannot be started, fails, or takes longer than `limit` seconds."""
        started, last = time.monotonic(), ""
        try:
            process = start(self.command, self.folder, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        except OSError as error:
            raise PairError(f"{self.name} cannot be started: {error.strerror}.") from None
        try:
            lines = lines_of(process.stdout)
            while line := lines.get(timeout=max(0.0, started + limit - time.monotonic())):
                last = line.strip() or last
                on_line(line)
            status = process.wait(timeout=max(1.0, started + limit - time.monotonic()))
        except (queue.Empty, subprocess.TimeoutExpired):
            raise PairError(f"{self.name} did not come to an end within {limit:.0f} s.") from None
        finally:
            end(process)
        if status:
            raise PairError(f"{self.name} ended with status {status}: {last or 'it said nothing'}")
        self.clock.append(time.monotonic() - started)
        self.results.append(_object(last))


@dataclass(frozen=True)
class Pairs:
    """What came of pairs: the seconds of each run, and the ratio of ours to theirs."""

    ours: list[float]
    theirs: list[float]
    ratio: float  # of the medians
    ratio_low: float  # quartiles of the ratios within pairs
    ratio_high: float
    on_the_clock: bool  # whether the clock was used

    def describe(self, name: str, against: str) -> str:
        """It in a sentence or two."""
        ours, theirs, ratio = statistics.median(self.ours), statistics.median(self.theirs), self.ratio
        faster = f"{1 / ratio:.2f} times as fast" if ratio < 1 else f"{ratio:.2f} times as slow"
        how = "on the clock, from start to end" if self.on_the_clock else "as each says itself"
        busy = "" if (now := load()) is None else f", load {now:.1f}"
        spread = f"ratios within pairs from {self.ratio_low:.2g} to {self.ratio_high:.2g} in the middle half"
        return (
            f"{name} {ours:.3g} s, {against} {theirs:.3g} s (medians of {len(self.ours)}, {how}): {faster}, "
            f"ratio {ratio:.3f}; {spread}{busy}."
        )


def run_pairs(
    ours: Program, theirs: Program, pairs: int, on_line: Callable[[Program, int, str], Any] = lambda *_: None
) -> Pairs:
    """Run both `pairs` times, one after the other, first the one and then the other first. Raises PairError."""
    for number in range(pairs):
        for program in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            program.run(functools.partial(on_line, program, number))
    on_the_clock = ours.seconds is None or theirs.seconds is None
    mine, other = (program.clock if on_the_clock else program.seconds or [] for program in (ours, theirs))
    low, _, high = quartiles([left / right for left, right in zip(mine, other)])
    return Pairs(mine, other, statistics.median(mine) / statistics.median(other), low, high, on_the_clock)


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
