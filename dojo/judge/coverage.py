"""What of a solution a claim runs. A mistake in a function that it never runs cannot be what it caught."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from types import CodeType, FrameType
from typing import Any

from ..curriculum.catalog import Kata
from ..sandbox.loader import Workspace
from ..sandbox.source import compile_source
from ..spec.claims import Claim, Example


@dataclass(frozen=True)
class Body:
    """The body of a function or a method: its lines, counted from 0, and how far they are indented."""

    function: int  # the line of its code object, counted from 1
    first: int
    end: int  # the line after its last
    indent: int

    def holds(self, lines: Sequence[str], start: int, stop: int) -> bool:
        """Whether the lines from `start` up to `stop` belong to it, and to nothing that stands after it."""
        inside = self.first <= start < self.end and stop <= self.end
        return inside and all(_is_inside(line, self.indent) for line in lines)


class Coverage:
    """Tells which changes of a kata's solution a claim does not reach."""

    def __init__(self, kata: Kata, workspace: Workspace, solution: str):
        self.reference = workspace.reference(kata)
        self.subject = workspace.variant(kata, solution, "the functions that run")
        self.lines = solution.splitlines()
        self.bodies = list(_bodies(compile_source(solution, self.subject.filename), self.lines))
        self.ran: dict[tuple[str, str], set[int] | None] = {}  # lines of functions, by claim and example
        self.changed: dict[str, Body | None] = {}  # by the text of a mistake

    def misses(self, source: str, claim: Claim, example: Example) -> bool:
        """Whether `source` is the solution but for the body of one function, and that is not run on this example.

        Only then: what is changed in several places, or cannot be traced, counts as reached.
        """
        if source not in self.changed:
            self.changed[source] = self._changed(source.splitlines())
        body = self.changed[source]
        if body is None:
            return False
        key = claim.name, example.text
        if key not in self.ran:
            with _functions_run(self.subject.filename) as ran:
                passed = claim.once(self.subject, self.reference, example).kind == "passed"
            self.ran[key] = ran if passed else None
        reached = self.ran[key]
        return reached is not None and body.function not in reached

    def _changed(self, lines: Sequence[str]) -> Body | None:
        """The function whose body holds all that is not as in the solution."""
        start = _alike(lines, self.lines)
        rest = _alike(lines[start:][::-1], self.lines[start:][::-1])
        stop = len(self.lines) - rest
        both = [*self.lines[start:stop], *lines[start : len(lines) - rest]]
        return next((body for body in self.bodies if body.holds(both, start, stop)), None)


@contextmanager
def _functions_run(filename: str) -> Iterator[set[int]]:
    """The lines of the functions of a file that are called while this lasts."""
    lines: set[int] = set()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename == filename:
            lines.add(frame.f_code.co_firstlineno)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield lines
    finally:
        sys.setprofile(before)


def _bodies(code: CodeType, lines: Sequence[str]) -> Iterator[Body]:
    """The functions at the top level of a module or a class, and in its classes."""
    for inner in filter(inspect.iscode, code.co_consts):
        if not inner.co_flags & inspect.CO_OPTIMIZED:  # a class
            yield from _bodies(inner, lines)
        elif rest := [line for _, _, line in inner.co_lines() if line and line > inner.co_firstlineno]:
            first = min(rest) - 1
            indent = len(lines[first]) - len(lines[first].lstrip())
            inside = takewhile(lambda line: _is_inside(line, indent), lines[first:])
            yield Body(inner.co_firstlineno, first, first + sum(1 for _ in inside), indent)


def _is_inside(line: str, indent: int) -> bool:
    return not line[:indent].strip()


def _alike(lines: Sequence[str], others: Sequence[str]) -> int:
    """How many lines the two have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(lines, others)))
