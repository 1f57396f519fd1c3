"""Make the index of a kata: run every known mistake on every fixed example, in processes of their own.

Where it fails it is run a second time, in another process, with another seed of Python's hashes, that takes the
mistakes in the opposite order: one that does not answer the same then could not be recognised, and is refused.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..curriculum.catalog import Catalog, Kata
from ..sandbox.limits import bound_resources
from ..sandbox.loader import Workspace
from ..sandbox.source import LoadError
from ..spec.claims import Outcome
from ..spec.errors import Stop, TimeUp
from ..spec.isolation import hide_gpus
from ..spec.mistakes import Mistake
from ..spec.suite import Suite, load_suite
from ..system.files import write_whole
from ..system.processes import environment
from .answers import PROJECTIONS, Answer, answer_of
from .index import (
    ClaimExample,
    Index,
    IndexUnusable,
    OtherLibraries,
    checks_of,
    examples_of,
    index_file,
    outcome_on,
    own_index_file,
    read,
    stamp_of,
)

UNUSABLE = ("unusable",)  # what there is of a mistake whose text cannot even be imported


class BuildError(Exception):
    """An index cannot be made; the message says why, with the names of the mistakes."""


def fitting_file(kata: Kata) -> Path | None:
    """The file of the index that fits a kata as it now stands, or None."""
    for path in (index_file(kata), own_index_file(kata)):
        try:
            read(path, kata)
        except IndexUnusable:
            continue
        return path
    return None


def build(kata: Kata) -> tuple[Index, Path]:
    """Make the index of a kata and write it; returns it with its file. Raises BuildError.

    Where the committed one differs in no more than the libraries that it was made with, that stays as it is, and the
    new one is this clone's own.
    """
    index = answers_twice(kata)
    path = index_file(kata)
    try:
        read(path, kata)
    except OtherLibraries:
        path = own_index_file(kata)
    except IndexUnusable:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, index.to_bytes(stamp_of(kata), examples_of(load_suite(kata))))
    return index, path


def answers_twice(kata: Kata) -> Index:
    """The answers of every mistake of a kata, worked out on all cores. Raises BuildError."""
    parts = os.cpu_count() or 1  # of the mistakes: a process works on each
    indexes = []
    with tempfile.TemporaryDirectory() as folder:
        for time in (1, 2):
            jobs = [Job(kata, Path(folder), time, part, parts) for part in range(parts)]
            processes = [job.start() for job in jobs]
            try:
                for process in processes:
                    process.wait()
            finally:
                for process in processes:
                    process.kill()
                    process.wait()
            indexes += [job.result() for job in jobs]
    suite = load_suite(kata)
    first, second = (_joined(suite, indexes[start : start + parts]) for start in (0, parts))
    _compare(suite, first, second)
    return first


@dataclass(frozen=True)
class Job:
    """Part number `part` of the mistakes of a kata, of `parts`, to be answered for the first or second time."""

    kata: Kata
    folder: Path
    time: int
    part: int
    parts: int

    @property
    def stem(self) -> Path:
        """The path of its files, without their suffixes."""
        return self.folder / f"{self.time}-{self.part}"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process that does it."""
        numbers = map(str, (self.time, self.part, self.parts))
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            __name__,
            str(self.kata.root),
            self.kata.slug,
            str(self.folder),
        ]
        with self.stem.with_suffix(".txt").open("wb") as errors:
            seed = environment(OMP_NUM_THREADS="1", PYTHONHASHSEED=str(self.time))
            return subprocess.Popen([*command, *numbers], env=seed, stdout=errors, stderr=errors)

    def do(self) -> None:
        """Work the answers out in this process, with no more memory than a learner's code has."""
        with contextlib.suppress(ImportError):  # Windows
            bound_resources()
        suite = load_suite(self.kata)
        mistakes = self._part_of(suite)[:: 1 if self.time == 1 else -1]
        first = Job(self.kata, self.folder, 1, self.part, self.parts).result() if self.time == 2 else None
        self.stem.with_suffix(".npz").write_bytes(answers_of(self.kata, suite, mistakes, first).to_bytes("", ""))

    def _part_of(self, suite: Suite) -> Sequence[Mistake]:
        """Its mistakes: neighbours in the bank, so that one that another leaves traces for comes after it once."""
        count = len(suite.mistakes)
        return suite.mistakes[count * self.part // self.parts : count * (self.part + 1) // self.parts]

    def result(self) -> Index:
        """What the process has worked out. Raises BuildError."""
        try:
            with np.load(self.stem.with_suffix(".npz"), allow_pickle=False) as arrays:
                return Index.of(arrays)
        except FileNotFoundError:
            words = self.stem.with_suffix(".txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise BuildError(f"a process ended without answers: {words[-1] if words else 'it was killed'}") from None


def _joined(suite: Suite, parts: Sequence[Index]) -> Index:
    """One index of parts, its mistakes in the order of the bank."""
    rows = {name: (part, row) for part in parts for row, name in enumerate(part.mistakes)}
    places = [rows[mistake.name] for mistake in suite.mistakes]
    arrays = (
        np.array([getattr(part, name)[row] for part, row in places]) for name in ("digests", "projections", "slack")
    )
    return Index(tuple(mistake.name for mistake in suite.mistakes), parts[0].checks, *arrays)


def answers_of(kata: Kata, suite: Suite, mistakes: Sequence[Mistake], first: Index | None = None) -> Index:
    """The answers of some mistakes, worked out in this process in their order; of those in `first` where they fail."""
    hide_gpus()
    torch.set_num_threads(1)
    workspace, checks = Workspace(Catalog(kata.root)), checks_of(suite)
    size = (len(mistakes), len(checks))
    digests, slack = np.zeros(size, np.uint64), np.zeros(size, np.float32)
    projections = np.zeros((*size, PROJECTIONS), np.float32)
    for row, mistake in enumerate(mistakes):
        asked = checks
        if first is not None:
            fails = first.failing[first.mistakes.index(mistake.name)]
            asked = [check for check, failing in zip(checks, fails) if failing]
        columns = range(len(checks)) if first is None else fails.nonzero()[0].tolist()
        for column, answer in zip(columns, _answers(kata, workspace, mistake, asked)):
            digests[row, column], slack[row, column] = answer.digest, answer.slack
            projections[row, column] = answer.projections
    names = tuple(mistake.name for mistake in mistakes)
    return Index(names, tuple(check.name for check in checks), digests, projections, slack)


def differing(first: Index, second: Index) -> list[str]:
    """The mistakes that two indexes have other answers of, and the first check where they differ."""
    other = first.digests != second.digests
    off = np.abs(first.projections - second.projections).max(axis=-1)
    other |= off > np.maximum(first.slack, second.slack)
    return [
        f'"{first.mistakes[row]}" on {first.checks[int(other[row].argmax())]}' for row in other.any(axis=1).nonzero()[0]
    ]


def _compare(suite: Suite, first: Index, second: Index) -> None:
    """Raise BuildError where a mistake answers otherwise the second time, or nowhere differs from the solution."""
    if unsteady := differing(first, second):
        raise BuildError(f"not the same answers twice: {'; '.join(unsteady)}")
    rows = zip(suite.mistakes, first.failing)
    right = [
        f'"{mistake.name}"' for mistake, fails in rows if not fails.any() and not suite.claim(mistake.caught_by).slow
    ]
    if right:
        raise BuildError(f"right on every example: {'; '.join(right)}")


def _answers(kata: Kata, workspace: Workspace, mistake: Mistake, checks: Sequence[ClaimExample]) -> Iterator[Answer]:
    solution = kata.solution.read_text(encoding="utf-8")
    try:
        subject = workspace.variant(kata, mistake.apply(solution), mistake.name)
    except (LoadError, Exception, Stop):
        yield from (answer_of(UNUSABLE) for _ in checks)
        return
    reference = workspace.reference(kata)
    endless: dict[str, Outcome] = {}  # one example of a claim is enough to wait for
    for check in checks:
        outcome = endless.get(check.claim.name) or outcome_on(check, subject, reference)
        if isinstance(outcome.error, TimeUp):
            endless[check.claim.name] = outcome
        yield answer_of(outcome.evidence)


def _main(root: str, slug: str, folder: str, *numbers: str) -> None:
    time, part, parts = map(int, numbers)
    Job(Catalog(Path(root)).by_slug(slug), Path(folder), time, part, parts).do()


if __name__ == "__main__":
    _main(*sys.argv[1:])
