"""The sweep of attention: configurations in order, as many as fit the time, and what each leaves in the results."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch

from . import katas, machine
from .comparison import Comparison, Configuration, Implementation, Sizes
from .jobs import ATTENTION, SIZES, Job, Send, refusal
from .results import Facts, Row
from .roofline import WAYS
from .timing import explain

ROUNDS = 3, 20  # at least and at most
UNTIMED = 3  # calls before the timed ones, the one that measures memory among them
GROWTH = 5.0  # times the last race that the next takes at most: at twice the length, or with backward too
SHARE = 0.1  # of the time left, for one race that could go on and on
COMPILING = 60.0  # seconds that must be left, or nothing is compiled any more
TOO_LATE = "compiling may take a minute, which is not left"
TURN, TURNS = 3.0, 20.0  # seconds that a call may take, or so many times what its matrix products would
EMULATED = 8.0  # times slower than float32: there is no hardware for it
SMALLEST = 16  # tokens
SLACK = 15.0  # seconds beyond two such calls after which a turn is taken to hang: a busy machine may stall so long


class Sweep:
    """The races on one device, smallest sizes first, as far as the time goes."""

    def __init__(self, job: Job, send: Send):
        self.job, self.send = job, send
        self.ends = time.monotonic() + job.seconds
        self.seconds: dict[tuple[str, str, int], float] = defaultdict(float)  # of a round, by dtype, passes and length
        self.failed: set[tuple[str, str, str]] = set()  # dtype, passes and name of what failed: it will at more tokens
        self.closed: dict[tuple[str, str], str] = {}  # dtype and passes that no longer fit; why
        self.proven: dict[str, list[Implementation]] = {}  # by dtype
        self._note(job.rows)

    def run(self) -> None:
        """Measure the machine, let every implementation prove itself, race what fits, and say what does not."""
        self._load()
        if self.job.facts:
            self.facts = self.job.facts
        else:
            self.send({"note": "measuring the machine"})
            self.facts = self._measure_machine()
            self._shrink()
        job, finished = self.job, set(self.seconds)
        dtypes = [dtype for dtype in job.dtypes if dtype in self.facts["limits"]]
        for tokens, dtype, passes in itertools.product(job.lengths, dtypes, job.passes):
            configuration = Configuration(dtype, passes, _sizes(job, tokens))
            if (dtype, passes, tokens) not in finished and self._fits(configuration):
                self._race(configuration)
        for (dtype, passes), why in self.closed.items():
            self.send({"left_out": f"{dtype}, {WAYS[passes]}, {why}"})

    def _note(self, rows: list[Row]) -> None:
        for row in rows:
            self.seconds[row["dtype"], row["pass"], row["T"]] += row.get("seconds", 0.0)
            if "failure" in row:
                self.failed.add((row["dtype"], row["pass"], row["name"]))

    def _measure_machine(self) -> Facts:
        job, limits = self.job, {"copy": machine.copy_rate(self.job.device)}
        for dtype in job.dtypes:
            try:
                limits[dtype] = machine.product_rate(job.device, getattr(torch, dtype))
            except (RuntimeError, TypeError) as error:
                self.send({"left_out": f"{dtype}: this device has no matrix product in it ({explain(error)[0]})"})
        full = limits.get("float32", 0.0)
        for dtype in [each for each in job.dtypes if EMULATED * limits.get(each, full) < full]:
            rates = f"at {limits.pop(dtype) / 1e9:.3g} GFLOP/s beside {full / 1e9:.3g} in float32"
            self.send({"left_out": f"{dtype}: this device only emulates it, {rates}"})
        return {**machine.describe(job.device, Path(job.root)), "limits": limits}

    def _shrink(self) -> None:
        """Make batch, lengths and width smaller, in this order, until the first races fit the time; tell the sizes."""
        wanted = job = self.job
        dtype = next((dtype for dtype in job.dtypes if dtype in self.facts["limits"]), "")
        while dtype and (smaller := _smaller(job)):
            first = [Configuration(dtype, passes, _sizes(job, job.lengths[0])) for passes in job.passes]
            if sum(map(self._cost, first)) <= self.left:
                break
            job = smaller
        self.job = job
        self.facts["sizes"] = {"batch": job.batch, "heads": job.heads, "width": job.width}
        self.send({"facts": self.facts, "sizes": {name: getattr(job, name) for name in SIZES}})
        if job is not wanted:
            self.send({"left_out": f"{_in_words(wanted)}: too much for this machine in the time, so {_in_words(job)}"})

    def _load(self) -> None:
        file, learners, reference = katas.load(replace(self.job, slug=ATTENTION), self.send)
        self.comparison = Comparison(reference.MultiHeadAttention, self.job.device)
        known = file.implementations(learners, reference)
        only = self.job.only or [implementation.name for implementation in known]
        self.implementations = [each for each in known if each.name in only and each.name not in self.job.without]

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.ends - time.monotonic()

    @property
    def _compiling(self) -> float:
        """Seconds that a turn in which something is compiled may take: never all that is left."""
        return max(2 * TURN + SLACK, min(120.0, self.left / 2))

    def _fits(self, configuration: Configuration) -> bool:
        """Whether the time for a race is left; where not, its series ends there."""
        if not any(self.seconds.values()):
            return True  # something is timed, whatever it takes
        series = configuration.dtype, configuration.passes
        cost = self._cost(configuration)
        if series not in self.closed and cost > self.left:
            rest = [tokens for tokens in self.job.lengths if tokens >= configuration.sizes.tokens]
            which = f"T = {rest[0]}" + (f" to {rest[-1]}" if len(rest) > 1 else "")
            self.closed[series] = f"{which}; T = {rest[0]} alone would take about {_duration(cost)}"
        return series not in self.closed

    def _cost(self, configuration: Configuration) -> float:
        """Seconds that a race takes at most, by a race before it or else by its matrix products."""
        dtype, passes, tokens = configuration.dtype, configuration.passes, configuration.sizes.tokens
        last = self.seconds.get((dtype, passes, tokens // 2)) or self.seconds.get((dtype, "forward", tokens))
        last = last or len(self.implementations) * self._products(configuration)
        return GROWTH * last * (ROUNDS[0] + UNTIMED)

    def _products(self, configuration: Configuration) -> float:
        """Seconds that the matrix products of a call take at least."""
        return configuration.flop / self.facts["limits"][configuration.dtype]

    def _prove(self, configuration: Configuration) -> list[Implementation]:
        """What has proved itself in a dtype; what is compiled, at the sizes of the first race."""
        proven = []
        for implementation in self.implementations:
            name, compiled = implementation.name, implementation.compiled
            if compiled and self.left < COMPILING:
                self.send({"left_out": f"{name}, {configuration.dtype}: {TOO_LATE}"})
                continue
            limit = self._compiling if compiled else 20.0
            self.send({"turn": name, "limit": limit, "note": f"{configuration.dtype}: proof"})
            try:
                self.comparison.prove(implementation, configuration)
                proven.append(implementation)
            except (Exception, SystemExit) as error:
                self.send(refusal(name, *explain(error)))
        self.implementations = [each for each in self.implementations if each in proven or each.compiled]
        return proven

    def _choose(self, configuration: Configuration) -> list[Implementation]:
        """What takes part in a race: not what failed at fewer tokens, lacks something here, or has no time left."""
        dtype, passes = configuration.dtype, configuration.passes
        chosen = []
        for implementation in list(self.proven[dtype]):
            name = implementation.name
            if why := implementation.missing(self.job.device, passes):
                self.send({"left_out": f"{name}, {WAYS[passes]}: {why}"})
            elif implementation.compiled and self.left < COMPILING:
                self.send({"left_out": f"{name}, from {configuration.title} on: {TOO_LATE}"})
                self.proven[dtype].remove(implementation)
            elif (dtype, passes, name) not in self.failed:
                chosen.append(implementation)
        return chosen

    def _race(self, configuration: Configuration) -> None:
        dtype, passes = configuration.dtype, configuration.passes
        if dtype not in self.proven:
            most = "both" if "both" in self.job.passes else passes
            self.proven[dtype] = self._prove(replace(configuration, passes=most))
        chosen = self._choose(configuration)
        compiled = {implementation.name for implementation in chosen if implementation.compiled}
        limit = max(TURN, TURNS * self._products(configuration))
        try:
            attention = self.comparison.race(chosen, configuration)
        except RuntimeError as error:  # no memory for the input itself
            self.closed[dtype, passes] = f"from T = {configuration.sizes.tokens} on: {explain(error)[0]}"
            return

        def notify(name: str) -> None:
            longest = self._compiling if name in compiled else 2 * limit + SLACK
            self.send({"turn": name, "limit": longest, "note": configuration.title})

        seconds = max(SHARE * self.left, self._cost(configuration))
        rows = attention.run(self.job.device, seconds=seconds, rounds=ROUNDS, limit=limit, notify=notify)
        self._note(rows)
        self.send({"rows": rows})


def _sizes(job: Job, tokens: int) -> Sizes:
    return Sizes(job.batch, job.heads, job.width, job.width, tokens)


def _smaller(job: Job) -> Job | None:
    """A job of about half the work in each race; None where it is as small as can be."""
    if job.batch > 1:
        return replace(job, batch=job.batch // 2)
    if job.lengths[0] > SMALLEST:
        return replace(job, lengths=[tokens // 2 for tokens in job.lengths])
    return None if job.heads % 2 else replace(job, heads=job.heads // 2, width=job.width // 2)


def _in_words(job: Job) -> str:
    return f"batch {job.batch}, T from {job.lengths[0]} and width {job.width}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} hours"
