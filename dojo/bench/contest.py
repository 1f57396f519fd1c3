"""One bench: the learner's part is judged, races are run and followed, results come together. No torch here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..curriculum import stubs
from ..curriculum.catalog import Kata
from ..judge.client import Judge, JudgeError
from ..learner.session import School
from . import results as files
from .rounds import noisy
from .watchdog import follow

YOURS = "yours"


@dataclass
class Part:
    """What a learner has for a race: whether their code may take part; else why it is refused, or left out."""

    solved: frozenset[str]
    takes_part: bool = False
    refused: dict[str, str] | None = None
    left_out: str = ""


def part_of(school: School, kata: Kata) -> Part:
    """Judge a learner's kata, unless its file as it stands has passed already."""
    solved = school.progress.solved(school.catalog)
    if kata.slug in solved:
        return Part(solved, True)
    if not kata.file.exists() or stubs.read(kata.file) == stubs.stub_of(kata):
        return Part(solved, left_out=f"yours: {kata.code} is not started. make test KATA={kata.number} begins it")
    try:
        with Judge(school.root) as judge:
            verdict = judge.verdict(kata, solved)
    except JudgeError as error:
        return Part(solved, refused=_refusal(str(error), "error"))
    if verdict.verdict == "passed":
        return Part(solved | {kata.slug}, True)
    if verdict.verdict == "not_started":
        return Part(solved, left_out=f"yours: {kata.code} is not finished. {verdict.message}")
    looks = ", or ".join(one.name for one in verdict.diagnosis)
    reason = verdict.message + (f" It looks like this: {looks}." if looks else "")
    return Part(solved, refused=_refusal(f"{kata.code} does not pass. {reason}", verdict.verdict))


def _refusal(reason: str, kind: str) -> dict[str, str]:
    return {"name": YOURS, "reason": reason, "kind": kind}


@dataclass
class Contest:
    """A job being run, with a bar, and the results as they come in."""

    job: dict[str, Any]
    root: Path
    console: Console
    part: Part
    results: files.Results = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)  # those of this machine

    def run(self) -> files.Results:
        """Run it and return the results. Raises BenchError, and KeyboardInterrupt with the results so far kept."""
        self.results = files.new(self.job["plan"])
        self.results["refused"] += [self.part.refused] if self.part.refused else []
        self.results["left_out"] += [self.part.left_out] if self.part.left_out else []
        job = self.job | {"solved": sorted(self.part.solved), "yours": self.part.takes_part, "root": str(self.root)}
        bar = Progress(
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("of at most {task.total:.0f} s · {task.description}"),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        with bar:
            self.bar, self.task = bar, bar.add_task("getting ready", total=job["seconds"])
            self.started = time.monotonic()
            follow(job, self.root, self.take)
        self.results["noisy"] = noisy(self.results["rows"])
        return self.results

    def take(self, event: dict[str, Any]) -> None:
        """Take in one event of the worker."""
        results = self.results
        if event.get("facts"):
            facts = dict(event["facts"])
            self.devices = facts.pop("devices", [])
            results |= facts
            results["machine"].setdefault("load_after", None)
        results["rows"] += event.get("rows", [])
        for name in ("refused", "left_out"):  # a worker that goes on where another was ended says some things again
            if name in event and event[name] not in results[name]:
                results[name].append(event[name])
        if "load_after" in event:
            results["machine"]["load_after"] = event["load_after"]
        words = " · ".join(filter(None, [event.get("note", ""), event.get("turn", "")]))
        done = min(time.monotonic() - self.started, self.job["seconds"] - 0.1)  # a bar at its end stops its clock
        self.bar.update(self.task, completed=done, **({"description": words} if words else {}))
