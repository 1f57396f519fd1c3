"""The attacks: read from their files, run as submissions, and compared with what must come of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dojo.grading.lanes import Job

HERE = Path(__file__).parent
SLUG = "k05_causal_attention"


@dataclass(frozen=True)
class Attack:
    """A hostile file."""

    path: Path

    @property
    def kind(self) -> str:
        return self.path.parent.name

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.path.stem}"

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def said(self, what: str) -> str:
        """What its head says of it."""
        line = re.search(rf"^# {what}: (.*)$", self.text, re.MULTILINE)
        return line.group(1).strip() if line else ""

    @property
    def slow(self) -> bool:
        """Whether it takes seconds until it is stopped."""
        return "# Slow:" in self.text

    @property
    def job(self) -> Job:
        return Job(SLUG, self.path.read_bytes())

    def fault(self, verdict) -> str:
        """What is wrong about what came of it; nothing where it is what must come."""
        standings, _, words = map(str.strip, self.said("Expected").partition(":"))
        if any(step.status == "passed" for step in verdict.steps) and verdict.verdict != "refused":
            return "a step passes"
        if verdict.verdict not in standings.split("|"):
            return f"{verdict.verdict}: {verdict.message}"
        return "" if words in verdict.message else f"it says: {verdict.message}"


ATTACKS = [Attack(path) for path in sorted(HERE.glob("*/*.py"))]
