"""Two programs on one machine, pair by pair, in an order that turns round: the ratio of medians. No torch here.

A program says how long it took by printing, as its last line, a JSON object with `seconds`; one that does not is timed
on the clock, from start to end, and then so is the other.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..system.processes import end, lines_of
from .rounds import quartiles

LIMIT = 3600.0  # seconds that a program may take


class PairError(Exception):
    """A program that could not be run to a good end; the message names it and says how it ended."""


@dataclass
class Program:
    """A program to run: a list of arguments, or a line for the shell. `said` holds what each run printed last."""

    name: str
    command: list[str] | str
    folder: Path
    clock: list[float] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)

    def seconds(self, on_the_clock: bool) -> list[float]:
        """What each run took: as the program said, or as the clock did."""
        return self.clock if on_the_clock else [float(one["seconds"]) for one in self.said]

    @property
    def tells(self) -> bool:
        """Whether every run said how long it took."""
        return all(isinstance(one.get("seconds"), (int, float)) for one in self.said)

    def run(self, on_line: Callable[[str], Any] = lambda line: None, limit: float = LIMIT) -> None:
        """Run it once. Raises PairError when it cannot be started, fails, or takes longer than `limit` seconds."""
        started, last = time.monotonic(), ""
        shell = isinstance(self.command, str)
        try:
            process = subprocess.Popen(
                self.command,
                shell=shell,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
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
        self.said.append(_object(last))

    def __str__(self) -> str:
        return self.command if isinstance(self.command, str) else shlex.join(self.command)


def run_pairs(
    ours: Program, theirs: Program, pairs: int, on_line: Callable[[Program, int, str], Any] = lambda *_: None
) -> dict[str, Any]:
    """Run both `pairs` times, one after the other, first the one and then the other first. Raises PairError.

    Returns `ours` and `theirs` (the seconds of each run), `ratio` (the median of ours over that of theirs), the
    quartiles `ratio_low` and `ratio_high` of the ratios within pairs, and `on_the_clock`, whether the clock was used.
    """
    for number in range(pairs):
        for program in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            program.run(lambda line, program=program, number=number: on_line(program, number, line))
    on_the_clock = not (ours.tells and theirs.tells)
    one, other = ours.seconds(on_the_clock), theirs.seconds(on_the_clock)
    low, _, high = quartiles([mine / yours for mine, yours in zip(one, other)])
    ratio = statistics.median(one) / statistics.median(other)
    found = {"ratio": ratio, "ratio_low": low, "ratio_high": high, "on_the_clock": on_the_clock}
    return {"ours": one, "theirs": other, **found}


def say_pairs(found: dict[str, Any], name: str, against: str) -> str:
    """What came of pairs, in a sentence or two."""
    one, other = statistics.median(found["ours"]), statistics.median(found["theirs"])
    ratio = found["ratio"]
    faster = f"{1 / ratio:.2f} times as fast" if ratio < 1 else f"{ratio:.2f} times as slow"
    how = "on the clock, from start to end" if found["on_the_clock"] else "as each says itself"
    pairs = len(found["ours"])
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    spread = f"ratios within pairs from {found['ratio_low']:.2g} to {found['ratio_high']:.2g} in the middle half"
    return (
        f"{name} {one:.3g} s, {against} {other:.3g} s (medians of {pairs}, {how}): {faster}, ratio {ratio:.3f}; "
        f"{spread}{load}."
    )


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
