"""What the runs in `runs/` left behind: their histories. No torch here."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class History:
    """The course of one run; losses in nats a character."""

    name: str  # of its folder
    preset: str
    losses: list[float]  # of each step
    evaluations: list[tuple[int, float]]  # step and validation loss
    floor: float | None

    @property
    def curve(self) -> tuple[list[float], list[tuple[int, float]], float | None]:
        """What a loss curve is drawn from."""
        return self.losses, self.evaluations, self.floor

    @property
    def title(self) -> str:
        """How far it came, in words."""
        best = f", best validation loss {min(loss for _, loss in self.evaluations):.3f}" if self.evaluations else ""
        return f"{self.name}: {len(self.losses)} steps{best}"


def read_runs(root: Path, say: Callable[[str], None]) -> list[History]:
    """The runs that have taken a step, the latest first; `say` is told of each that is damaged."""
    paths = sorted((root / "runs").glob("*/history.json"), key=lambda path: -path.stat().st_mtime)
    found = []
    for path in paths:
        try:
            found.append(_read(path))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            say(f"{path.relative_to(root).as_posix()} is damaged and left out. Your model is untouched.")
    return [run for run in found if run.losses]


def _read(path: Path) -> History:
    data = json.loads(path.read_text(encoding="utf-8"))
    floor = None if data["floor"] is None else float(data["floor"])
    evaluations = [(int(step), float(loss)) for step, loss in data["evaluations"]]
    return History(path.parent.name, str(data["preset"]), list(map(float, data["losses"])), evaluations, floor)
