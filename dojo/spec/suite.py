"""What a kata is judged by: its claims, its bans and its bank of mistakes, loaded from their files."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from ..curriculum.catalog import Kata
from ..system.files import load_module
from .bans import Ban
from .claims import Claim
from .mistakes import Mistake
from .torch_internals import load_compiler


@dataclass(frozen=True)
class Suite:
    """Claims in the order they are checked (by step, then as written), bans, and known mistakes."""

    claims: tuple[Claim, ...]
    bans: tuple[Ban, ...]
    mistakes: tuple[Mistake, ...]

    @property
    def steps(self) -> dict[int, list[Claim]]:
        """The claims of each step, in order."""
        steps: dict[int, list[Claim]] = {}
        for claim in self.claims:
            steps.setdefault(claim.step, []).append(claim)
        return steps

    def claim(self, name: str) -> Claim:
        """The claim of that name. Raises LookupError."""
        for claim in self.claims:
            if claim.name == name:
                return claim
        raise LookupError(f"no claim is called {name}")

    def step_of(self, mistake: Mistake) -> int:
        """The step in which a mistake is caught."""
        return self.claim(mistake.caught_by).step


def load_suite(kata: Kata) -> Suite:
    """Load the suite of a kata, once for as long as its files do not change; one without a bank knows no mistakes."""
    return _suite(kata, tuple(path.stat().st_mtime_ns for path in (kata.tests, kata.mistakes) if path.is_file()))


@functools.lru_cache(maxsize=64)
def _suite(kata: Kata, changed: tuple[int, ...]) -> Suite:
    if "torch.optim" in kata.tests.read_text(encoding="utf-8"):
        load_compiler()
    tests = load_module(kata.tests)
    claims = [value.claim for value in vars(tests).values() if hasattr(value, "claim")]
    mistakes: tuple[Mistake, ...] = ()
    if kata.mistakes.is_file():
        entries = load_module(kata.mistakes).MISTAKES
        mistakes = tuple(mistake for entry in entries for mistake in entry.members)
    return Suite(tuple(sorted(claims, key=lambda claim: claim.step)), tuple(getattr(tests, "BANS", ())), mistakes)
