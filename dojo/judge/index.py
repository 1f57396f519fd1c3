"""The index of a kata: the answer of every known mistake on every fixed example of every claim, worked out once.

It is kept in a file of compressed arrays, which a diagnosis looks answers up in. An index is stamped with the hash of
all it was made from, and with the versions of the libraries that examples and numbers come from.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import hypothesis
import numpy as np
import torch
from numpy.typing import NDArray

from ..curriculum.catalog import Kata
from ..sandbox.limits import limit
from ..sandbox.loader import Workspace
from ..sandbox.source import LoadError
from ..sandbox.subject import Subject
from ..spec.claims import Claim, Example, Outcome
from ..spec.errors import Stop, TimeUp
from ..spec.mistakes import Mistake
from ..spec.suite import Suite
from ..system.processes import HOME
from .answers import PROJECTIONS, Answer, answer_of

MADE_WITH = ("spec/*.py", "sandbox/calls.py", "sandbox/arguments.py", "judge/answers.py")
UNUSABLE = ("unusable",)  # the mistake's text cannot even be imported


class IndexUnusable(Exception):
    """There is no index that fits; the message says why, and what to type."""


@dataclass(frozen=True, eq=False)
class Check:
    """One example of a claim."""

    claim: Claim
    number: int

    @property
    def example(self) -> Example:
        """The values and the conditions."""
        return self.claim.drawn[self.number]

    @property
    def name(self) -> str:
        """What it is called in an index."""
        return f"{self.claim.name} {self.number}"


def checks_of(suite: Suite) -> list[Check]:
    """All checks that an index holds; a slow claim has none."""
    return [Check(claim, n) for claim in suite.claims if not claim.slow for n in range(len(claim.drawn))]


@dataclass(frozen=True)
class Index:
    """Answers of M mistakes on C checks."""

    mistakes: tuple[str, ...]
    checks: tuple[str, ...]
    digests: NDArray[np.uint64]  # (M, C); 0 where the mistake passes
    projections: NDArray[np.float32]  # (M, C, PROJECTIONS)
    slack: NDArray[np.float32]  # (M, C)

    @cached_property
    def column(self) -> dict[str, int]:
        """The column of each check, by its name."""
        return {name: number for number, name in enumerate(self.checks)}

    def agree(self, check: Check, answer: Answer) -> NDArray[np.bool_]:
        """Which mistakes give this answer, (M,) bool."""
        at = self.column[check.name]
        same = self.digests[:, at] == answer.digest
        off = np.abs(self.projections[:, at] - answer.projections).max(axis=1)
        return np.asarray(same & (off <= np.maximum(self.slack[:, at], answer.slack)))

    @cached_property
    def failing(self) -> NDArray[np.bool_]:
        """Where a mistake does not pass, (M, C)."""
        return np.asarray(self.digests != 0)

    def to_bytes(self, stamp: str) -> bytes:
        """The content of an index file: only what fails is written down."""
        rows, columns = self.digests.nonzero()
        out = io.BytesIO()
        np.savez_compressed(
            out,
            stamp=np.array(stamp),
            mistakes=np.array(self.mistakes),
            checks=np.array(self.checks),
            rows=rows.astype(np.uint16),
            columns=columns.astype(np.uint16),
            digests=self.digests[rows, columns],
            projections=self.projections[rows, columns],
            slack=self.slack[rows, columns],
        )
        return out.getvalue()


def load(kata: Kata) -> Index:
    """The index that fits a kata as it now stands. Raises IndexUnusable."""
    advice = f"No mistake is named until the index of {kata.code} is made anew: make index KATA={kata.number}"
    problem = "is missing"
    for path in (index_file(kata), own_index_file(kata)):
        try:
            with np.load(path, allow_pickle=False) as arrays:
                if str(arrays["stamp"]) == stamp_of(kata):
                    return _dense(arrays)
            problem = "is out of date"
        except FileNotFoundError:
            continue
        except Exception:  # whatever numpy and zipfile raise for a damaged file
            problem = "is damaged"
    raise IndexUnusable(f"The index of known mistakes {problem}. {advice}")


def _dense(arrays: np.lib.npyio.NpzFile) -> Index:
    mistakes, checks = tuple(map(str, arrays["mistakes"])), tuple(map(str, arrays["checks"]))
    size, at = (len(mistakes), len(checks)), (arrays["rows"], arrays["columns"])
    digests, slack = np.zeros(size, np.uint64), np.zeros(size, np.float32)
    projections = np.zeros((*size, PROJECTIONS), np.float32)
    digests[at], slack[at], projections[at] = arrays["digests"], arrays["slack"], arrays["projections"]
    return Index(mistakes, checks, digests, projections, slack)


def index_file(kata: Kata) -> Path:
    """The committed index of a kata."""
    return kata.root / "data" / "index" / f"{kata.slug}.npz"


def own_index_file(kata: Kata) -> Path:
    """The index of a kata that was made on this machine, for other versions than the committed one's."""
    return kata.root / ".dojo" / "index" / f"{kata.slug}.npz"


def stamp_of(kata: Kata) -> str:
    """A hash of all that the answers of a kata's mistakes follow from."""
    paths = [kata.solution, kata.tests, kata.mistakes]
    paths += [kata.root / "solutions" / slug / f"{slug.split('_', 1)[1]}.py" for slug in sorted(kata.needs)]
    paths += sorted(path for pattern in MADE_WITH for path in (HOME / "dojo").glob(pattern))
    whole = hashlib.sha256(f"torch {torch.__version__.split('+')[0]} hypothesis {hypothesis.__version__}".encode())
    for path in paths:
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()


def build(kata: Kata, workspace: Workspace, suite: Suite) -> Index:
    """Work out the answers of every mistake of a kata; takes some ten seconds."""
    checks = checks_of(suite)
    size = (len(suite.mistakes), len(checks))
    digests, slack = np.zeros(size, np.uint64), np.zeros(size, np.float32)
    projections = np.zeros((*size, PROJECTIONS), np.float32)
    for row, mistake in enumerate(suite.mistakes):
        for column, answer in enumerate(_answers(kata, workspace, mistake, checks)):
            digests[row, column], slack[row, column] = answer.digest, answer.slack
            projections[row, column] = answer.projections
    names = tuple(mistake.name for mistake in suite.mistakes)
    return Index(names, tuple(check.name for check in checks), digests, projections, slack)


def _answers(kata: Kata, workspace: Workspace, mistake: Mistake, checks: list[Check]) -> Iterator[Answer]:
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


def outcome_on(check: Check, subject: Subject, reference: object) -> Outcome:
    """What comes of a check of some code; one that does not end raises TimeUp."""
    try:
        with limit(check.claim.seconds):
            subject.renew()
            return check.claim.once(subject, reference, check.example)
    except TimeUp as error:
        return Outcome("raised", error, check.example)
