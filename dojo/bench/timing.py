"""The timing core: racers that do the same work take turns, and each turn is timed with the device's own clock.

Three things make a comparison fair. Every racer is warmed up before it is timed. Rounds are interleaved: in each round
every racer has one turn, and the order moves on by one place a round, so that a machine that slows down slows them all.
And ratios are taken within a round, between neighbours in time, so that they stand even where the times wander.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from ..sandbox.limits import out_of_memory
from .memory import Memory
from .results import Row
from .rounds import Times
from .rounds import rows as rows_of

TURN = 0.002  # seconds that a turn takes at least: a faster call is repeated within it
MOST_CALLS = 10_000  # in one turn


class Refused(Exception):
    """A racer that may not be timed; the message says why."""

    kind = "refused"


class TooSlow(Refused):
    """A racer whose one call takes longer than is granted here."""

    kind = "slow"


class Unavailable(Exception):
    """A racer that cannot run on this machine; the message says why. It is shown as left out, not as wrong."""

    kind = "unavailable"


def nothing(*_: Any) -> None:
    """Do nothing: the default where a caller wants no proof, no preparation, no news."""


@dataclass
class Racer:
    """One way to do the work: `call` is timed. `before`, not timed, readies each call. `prove` raises Refused.

    `prove` may fill in `figures`, columns more in the table by name, and `memory`, what a call takes.
    """

    name: str
    call: Callable[[], Any]
    before: Callable[[], Any] | None = None
    prove: Callable[[], Any] = nothing
    figures: dict[str, float] = field(default_factory=dict)
    memory: Memory | None = None


@dataclass
class Race:
    """Racers that do the same work. The first one is what the others are compared with, unless `base` names another.

    `work` is how much one call does, in `unit` ("tokens", "steps", "MB"): the table shows it by the second.
    """

    title: str
    racers: list[Racer]
    work: float = 0.0
    unit: str = ""
    base: str = ""
    labels: dict[str, Any] = field(default_factory=dict)  # go into every row of the results file as they are

    def __post_init__(self) -> None:
        self.base = self.base or self.racers[0].name

    def run(self, device: str, **options: Any) -> list[Row]:
        """Race on a device, with the options of `race`; the rows of a results file."""
        times = race(self.racers, Clock(device), **options)
        labels = {"race": self.title, "work": self.work, "unit": self.unit, **self.labels}
        made = rows_of(times, self.base, labels)
        for row, racer in zip(made, self.racers):
            if racer.memory is not None:
                row |= {"peak_bytes": racer.memory.peak, "moved_bytes": racer.memory.moved}
            if racer.figures and "seconds" in row:
                row["figures"] = racer.figures
        return made


class Clock:
    """Times calls on one device: CUDA by its events, MPS and CPU on the wall, with the device's work waited for."""

    def __init__(self, device: str | torch.device = "cpu"):
        self.device = torch.device(device)

    def seconds(self, call: Callable[[], Any], times: int = 1) -> float:
        """How long `call` takes, called `times` times in a row: seconds a call."""
        self.wait()
        if self.device.type == "cuda":
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            _repeat(call, times)
            end.record()
            end.synchronize()
            return float(begin.elapsed_time(end)) / 1000 / times
        started = time.perf_counter()
        _repeat(call, times)
        self.wait()
        return (time.perf_counter() - started) / times

    def wait(self) -> None:
        """Wait until the device has done all it was given to do."""
        if self.device.type != "cpu":
            getattr(torch, self.device.type).synchronize()

    def forget(self) -> None:
        """Give cached memory back, so that one racer's running out of memory does not take the next one down."""
        gc.collect()
        if self.device.type != "cpu":
            getattr(torch, self.device.type).empty_cache()


def _repeat(call: Callable[[], Any], times: int) -> None:
    for _ in range(times):
        call()


def race(
    racers: list[Racer],
    clock: Clock | None = None,
    *,
    seconds: float = 10.0,
    rounds: tuple[int, int] = (3, 30),
    limit: float = math.inf,
    notify: Callable[[str], Any] = nothing,
) -> list[Times]:
    """Race them for about `seconds`, at least and at most so many `rounds`; a result for each racer, in their order.

    A racer that is refused, raises, runs out of memory or needs more than `limit` seconds for its first call gets no
    times but a `failure` that says so, and the others go on. `notify` is told whose turn begins, for a watchdog.
    """
    clock = clock or Clock()
    results = {racer.name: Times(racer.name) for racer in racers}
    racers = [racer for racer in racers if _ready(racer, clock, results[racer.name], limit, notify)]
    started, done = time.perf_counter(), 0
    collecting = gc.isenabled()
    gc.disable()  # or one racer cleans up what another has left
    try:
        while racers and done < rounds[1]:
            used = time.perf_counter() - started
            if done >= rounds[0] and used + used / done > seconds:
                break
            first = done % len(racers)
            for racer in racers[first:] + racers[:first]:
                notify(racer.name)
                times = results[racer.name]
                _guarded(lambda: times.seconds.append(_prepared(racer, clock, times.calls)), times, clock)
            racers = [racer for racer in racers if not results[racer.name].failure]
            done += 1
    finally:
        if collecting:
            gc.enable()
        clock.forget()
    return list(results.values())


def _ready(racer: Racer, clock: Clock, times: Times, limit: float, notify: Callable[[str], Any]) -> bool:
    """Prove a racer and warm it up: one call for what is done only once, some more to see how many make a turn."""
    notify(racer.name)

    def get_ready() -> None:
        racer.prove()
        first = _prepared(racer, clock, 1)
        if first > limit:
            raise TooSlow(f"one call took {first:.3g} s, and {limit:.3g} s is the limit here")
        notify(racer.name)
        if racer.before is None and first < 50 * TURN:
            again = min(_prepared(racer, clock, 1) for _ in range(3))
            times.calls = max(1, min(MOST_CALLS, math.ceil(TURN / max(again, 1e-9))))

    return _guarded(get_ready, times, clock)


def _prepared(racer: Racer, clock: Clock, calls: int) -> float:
    if racer.before is not None:
        racer.before()
    return clock.seconds(racer.call, calls)


def _guarded(step: Callable[[], Any], times: Times, clock: Clock) -> bool:
    """Take a step; False, with the failure noted and no times kept, where it raises."""
    try:
        step()
    except (Exception, SystemExit) as error:
        times.failure, times.kind = explain(error)
        times.seconds.clear()
    if times.failure:
        clock.forget()  # outside the handler: the error's frames hold the tensors
    return not times.failure


def explain(error: BaseException) -> tuple[str, str]:
    """What went wrong, in one line, and of what kind: slow, refused, unavailable, memory or raised."""
    text = str(error).strip().split("\n")[0]
    if isinstance(error, (Refused, Unavailable)):
        return text, error.kind
    if isinstance(error, torch.OutOfMemoryError) or out_of_memory(error):
        return "out of memory", "memory"
    return f"raises {type(error).__name__}: {text}" if text else f"raises {type(error).__name__}", "raised"
