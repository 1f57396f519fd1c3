"""The race of attentions: which sizes are run within the time there is, and what each run leaves in the results."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..curriculum.catalog import Catalog
from ..sandbox.loader import Workspace
from . import machine
from .attention import Implementation, Sizes
from .implementations import Proof, entrants, unavailable
from .roofline import exponent
from .rounds import rows
from .timing import Clock, explain, race
from .workloads import WAYS, Cell, Stable, flop

KATA = "k06"
ROUNDS, WANTED = (3, 20), 5  # at least and at most; where time is not short, at least so many as are wanted
WARM_UP = 3  # calls, the one that measures memory among them
SHARE = 0.1  # of the time left, for one race that could go on and on
GUESS = 3.0  # times what the matrix products alone would take: a first guess, before anything was timed
BACKWARD = 3.5  # times what forward took, for both: a guess too
STEEP, STEEPER = 1.6, 0.2  # time grows as T to this power, as long as that is not measured, and so much more later on
COMPILING = 60.0  # seconds that must be left, or nothing is compiled any more
TURN = 3.0  # seconds that a call may take, or so many times what its matrix products would:
TURNS = 20.0
SLACK = 15.0  # seconds beyond two such calls after which a turn is taken to hang: a busy machine may stall so long
Send = Callable[[dict[str, Any]], None]


def run(job: dict[str, Any], send: Send) -> None:
    """Run the job "attention"; the keys it needs are those that `dojo.cli.bench` puts there."""
    Course(job, send).run()


class Course:
    """The races of one device, smallest sizes first, as far as the time goes."""

    def __init__(self, job: dict[str, Any], send: Send):
        self.job, self.send, self.device = job, send, job["device"]
        self.ends = time.monotonic() + job["seconds"]
        self.rows: list[dict[str, Any]] = job["rows"]
        self.closed: dict[tuple[str, str], str] = {}  # series that no longer fit
        self.proven: dict[str, list[Implementation]] = {}  # by dtype
        self.late: set[str] = set()  # who is not compiled any more
        self.clock = Clock(self.device)

    def run(self) -> None:
        """Measure the machine, let everybody prove itself, and race."""
        self.facts = self.job["facts"] or self._look_over()
        self.send({"facts": self.facts})
        self._enter()
        ran = {(row["dtype"], row["pass"], row["T"]) for row in self.rows}
        for tokens in self.job["lengths"]:
            for dtype in [dtype for dtype in self.job["dtypes"] if dtype in self.facts["limits"]]:
                for passes in self.job["passes"]:
                    cell = Cell(dtype, passes, tokens)
                    if (dtype, passes, tokens) not in ran and (cost := self._affordable(cell)):
                        self._race(cell, cost)
        for (dtype, passes), why in self.closed.items():
            self.send({"left_out": f"{dtype}, {WAYS[passes]}, {why}"})

    def _look_over(self) -> dict[str, Any]:
        facts = machine.describe(self.device, Path(self.job["root"]))
        limits = {"copy": machine.copy_rate(self.device)}
        for dtype in self.job["dtypes"]:
            try:
                limits[dtype] = machine.product_rate(self.device, getattr(torch, dtype))
            except (RuntimeError, TypeError) as error:
                self.send({"left_out": f"{dtype}: this device has no matrix product in it ({explain(error)[0]})"})
        sizes = {name: self.job[name] for name in ("batch", "heads", "width")}
        return facts | {"limits": limits, "sizes": sizes}

    def _enter(self) -> None:
        catalog = Catalog(Path(self.job["root"]))
        kata = next(kata for kata in catalog.katas if kata.code == KATA)
        workspace = Workspace(catalog, frozenset(self.job["solved"]))
        module, learners = workspace.reference(kata), None
        if self.job["yours"] and "yours" not in self.job["without"]:
            self.send({"turn": "yours", "limit": 10.0})
            try:
                learners = workspace.part(kata).MultiHeadAttention
            except (Exception, SystemExit) as error:
                self._refuse("yours", error)
        self.attention: type[nn.Module] = module.MultiHeadAttention
        everybody = entrants(self.attention, module.MultiHeadAttentionWrapper, learners)
        only = self.job.get("only") or [one.name for one in everybody]
        self.entrants = [one for one in everybody if one.name in only and one.name not in self.job["without"]]

    def _refuse(self, name: str, error: BaseException) -> None:
        reason, kind = explain(error)
        self.send({"refused": {"name": name, "reason": reason, "kind": kind}})

    def _compiling(self) -> float:
        """Seconds that a turn in which something is compiled may take: never all that is left."""
        return max(2 * TURN + SLACK, min(120.0, self.left / 2))

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.ends - time.monotonic()

    def _affordable(self, cell: Cell) -> float:
        """Seconds that a race will take, or 0 where they are not left; then its series ends there."""
        series = (cell.dtype, cell.passes)
        if series in self.closed:
            return 0.0
        known = self._round(cell)
        guess = GUESS * len(self.entrants) * self._products(cell)
        cost = (guess if known is None else known) * (WANTED + WARM_UP)
        if cost > self.left:
            rest = [tokens for tokens in self.job["lengths"] if tokens >= cell.tokens]
            which = f"T = {rest[0]}" + (f" to {rest[-1]}" if len(rest) > 1 else "")
            self.closed[series] = f"{which}; T = {rest[0]} alone would take about {_duration(cost)}"
            if known is None:
                rate = self.facts["limits"][cell.dtype] / 1e9
                self.closed[series] += f", going by a matrix product ({rate:.3g} GFLOP/s)"
        return 0.0 if series in self.closed else cost

    def _round(self, cell: Cell) -> float | None:
        """About how many seconds one round will take, going by the races so far; None where they tell nothing."""
        if before := self._before(cell):
            power = exponent(row for row in self.rows if (row["dtype"], row["pass"]) == (cell.dtype, cell.passes))
            return _total(before) * (cell.tokens / before[0]["T"]) ** (STEEP if power is None else power + STEEPER)
        forward = [row for row in self.rows if (row["dtype"], row["T"]) == (cell.dtype, cell.tokens)]
        return BACKWARD * _total(forward) if forward else None

    def _before(self, cell: Cell) -> list[dict[str, Any]]:
        """The rows of the longest race so far in a cell's series."""
        series = [row for row in self.rows if (row["dtype"], row["pass"]) == (cell.dtype, cell.passes)]
        return [row for row in series if row["T"] == max(row["T"] for row in series)]

    def _products(self, cell: Cell) -> float:
        """Seconds that the matrix products of a cell take at least."""
        return flop(self._sizes(cell.tokens), cell.passes) / self.facts["limits"][cell.dtype]

    def _sizes(self, tokens: int) -> Sizes:
        return Sizes(self.job["batch"], self.job["heads"], self.job["width"], self.job["width"], tokens)

    def _prove(self, dtype: str, sizes: Sizes) -> list[Implementation]:
        """Those that have proved themselves in a dtype; compiled ones at the size of the first race."""
        passed, backward = [], "both" in self.job["passes"]
        proof = Proof(self.attention, self.device, getattr(torch, dtype), backward)
        for one in self.entrants:
            if one.compiled and self.left < COMPILING:
                self.send({"left_out": f"{one.name}, {dtype}: compiling may take a minute, which is not left"})
                continue
            limit = self._compiling() if one.compiled else 20.0
            self.send({"turn": one.name, "limit": limit, "note": f"{dtype}: proof"})
            try:
                proof.demand(one, sizes if one.compiled else None)
                passed.append(one)
            except (Exception, SystemExit) as error:
                self._refuse(one.name, error)
        self.entrants = [one for one in self.entrants if one in passed or one.compiled]
        return passed

    def _field(self, cell: Cell) -> list[Implementation]:
        """Who takes part in a race: none that failed at fewer tokens, or needs what is not here or a time not left."""
        failed = {row["name"] for row in self._before(cell) if "failure" in row}
        field = []
        for one in self.proven[cell.dtype]:
            why = unavailable(one, self.device, cell.passes == "both")
            if why:
                self.send({"left_out": f"{one.name}, {WAYS[cell.passes]}: {why}"})
            elif one.compiled and self.left < COMPILING:
                self._leave_out(one, cell)
            elif one.name not in failed:
                field.append(one)
        return field

    def _leave_out(self, one: Implementation, cell: Cell) -> None:
        """Say it once: what is not left in one race is not left in those that follow."""
        if one.name not in self.late:
            self.late.add(one.name)
            why = "compiling may take a minute, which is not left"
            self.send({"left_out": f"{one.name}, from {cell.words} on: {why}"})

    def _race(self, cell: Cell, cost: float) -> None:
        sizes = self._sizes(cell.tokens)
        if cell.dtype not in self.proven:
            self.proven[cell.dtype] = self._prove(cell.dtype, sizes)
        field = self._field(cell)
        limit = max(TURN, TURNS * self._products(cell))
        try:
            stable = Stable(self.attention, self.device, cell, sizes)
        except RuntimeError as error:  # no memory for the input itself
            self.closed[cell.dtype, cell.passes] = f"from T = {cell.tokens} on: {explain(error)[0]}"
            return
        racers = [stable.racer(one) for one in field]

        def notify(name: str) -> None:
            compiles = any(one.name == name and one.compiled for one in field)
            longest = self._compiling() if compiles else 2 * limit + SLACK
            self.send({"turn": name, "limit": longest, "note": cell.words})

        times = race(
            racers, self.clock, seconds=max(SHARE * self.left, cost), rounds=ROUNDS, limit=limit, notify=notify
        )
        work = {"work": sizes.batch * sizes.tokens, "unit": "tokens", "flop": flop(sizes, cell.passes)}
        found = rows(times, "reference", {"race": cell.words, **cell.labels, **work})
        for row in found:
            row |= stable.memory.get(row["name"], {})
        self.rows += found
        self.send({"rows": found})


def _total(rows: list[dict[str, Any]]) -> float:
    """Seconds of one round of these racers."""
    return sum(row["seconds"] for row in rows if "seconds" in row)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} hours"
