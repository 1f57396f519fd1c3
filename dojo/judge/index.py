"""The index of a kata: the answer of every known mistake on every fixed example of every claim, worked out once.

It is kept in a file of compressed arrays, which a diagnosis looks answers up in. An index is stamped with the hash of
all it was made from. With other versions of torch or Hypothesis than it was made with, it serves as long as they draw
the same examples. `index_build` makes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import torch
from numpy.typing import NDArray

from ..curriculum.catalog import Kata
from ..sandbox.limits import limit
from ..sandbox.subject import Subject
from ..spec.claims import SETTINGS, Claim, Example, Outcome
from ..spec.errors import TimeUp
from ..spec.suite import Suite, load_suite
from ..system.command import command
from ..system.files import content_of
from ..system.processes import HOME
from .answers import PROJECTIONS, Answer

MADE_WITH = ("spec/*.py", "sandbox/*.py", "judge/answers.py")
LIBRARIES = f"torch {torch.__version__.split('+')[0]} and Hypothesis {hypothesis.__version__}"  # of this process


MISSING = "is missing"


class IndexUnusable(Exception):
    """There is no index that fits; the message says why, and what to type."""


class OtherLibraries(IndexUnusable):
    """An index fits the kata, but was made with versions of torch or Hypothesis that draw other examples."""


@dataclass(frozen=True, eq=False)
class ClaimExample:
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


def checks_of(suite: Suite) -> list[ClaimExample]:
    """All checks that an index holds; a slow claim has none."""
    return [ClaimExample(claim, n) for claim in suite.claims if not claim.slow for n in range(len(claim.drawn))]


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

    def agree(self, check: ClaimExample, answer: Answer) -> NDArray[np.bool_]:
        """Which mistakes give this answer, (M,) bool."""
        at = self.column[check.name]
        off = np.abs(self.projections[:, at] - answer.projections).max(axis=1)
        same: NDArray[np.bool_] = self.digests[:, at] == answer.digest
        same &= off <= np.maximum(self.slack[:, at], answer.slack)
        return same

    def rows(self, rows: Sequence[int]) -> Index:
        """The same of some mistakes only."""
        names = tuple(self.mistakes[row] for row in rows)
        at = list(rows)
        return Index(names, self.checks, self.digests[at], self.projections[at], self.slack[at])

    def answer(self, row: int, check: ClaimExample) -> Answer:
        """What a mistake, by its row, answers on a check."""
        at = row, self.column[check.name]
        return Answer(self.digests[at], self.projections[at], float(self.slack[at]))

    @cached_property
    def failing(self) -> NDArray[np.bool_]:
        """Where a mistake does not pass, (M, C)."""
        return np.asarray(self.digests != 0)

    @staticmethod
    def of(arrays: Mapping[str, NDArray[Any]]) -> Index:
        """The index that stands in the arrays of an index file."""
        mistakes, checks = tuple(map(str, arrays["mistakes"])), tuple(map(str, arrays["checks"]))
        size, at = (len(mistakes), len(checks)), (arrays["rows"], arrays["columns"])
        digests, slack = np.zeros(size, np.uint64), np.zeros(size, np.float32)
        projections = np.zeros((*size, PROJECTIONS), np.float32)
        digests[at], slack[at], projections[at] = arrays["digests"], arrays["slack"], arrays["projections"]
        return Index(mistakes, checks, digests, projections, slack)

    def to_bytes(self, stamp: str, examples: str) -> bytes:
        """The content of an index file: only what fails is written down."""
        rows, columns = self.digests.nonzero()
        out = io.BytesIO()
        np.savez_compressed(
            out,
            stamp=np.array(stamp),
            made_with=np.array(LIBRARIES),
            examples=np.array(examples),
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
    if not SETTINGS.derandomize:
        raise IndexUnusable("The examples are drawn at random, so no mistake is named: unset DOJO_RANDOM")
    problems = []
    for path in (index_file(kata), own_index_file(kata)):
        try:
            return read(path, kata)
        except IndexUnusable as error:
            problems.append(str(error))
    problem = next((problem for problem in problems if problem != MISSING), MISSING)
    mend = command("index", KATA=kata.number)
    raise IndexUnusable(f"The index of known mistakes {problem}, so no mistake is named: {mend}")


def read(path: Path, kata: Kata) -> Index:
    """The index in a file, where it fits a kata as it now stands. Raises IndexUnusable, and says what is the matter."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            stamp, made_with, examples = (str(arrays[name]) for name in ("stamp", "made_with", "examples"))
            if stamp != stamp_of(kata):
                raise IndexUnusable("is out of date")
            if made_with != LIBRARIES and examples != examples_of(load_suite(kata)):
                raise OtherLibraries(f"was made with {made_with}, and here are {LIBRARIES}, which draw other examples")
            return Index.of(arrays)
    except FileNotFoundError:
        raise IndexUnusable(MISSING) from None
    except OSError as error:
        raise IndexUnusable(f"cannot be read ({error.strerror or 'it is no such file'})") from None
    except (ValueError, KeyError, IndexError, TypeError, EOFError, AttributeError, zlib.error, zipfile.BadZipFile):
        raise IndexUnusable("is damaged") from None


def index_file(kata: Kata) -> Path:
    """The committed index of a kata."""
    return kata.root / "data" / "index" / f"{kata.slug}.npz"


def own_index_file(kata: Kata) -> Path:
    """The index of a kata that was made on this machine, for other versions than the committed one's."""
    return kata.root / ".dojo" / "index" / f"{kata.slug}.npz"


def stamp_of(kata: Kata) -> str:
    """A hash of all texts that the answers of a kata's mistakes follow from."""
    paths = [kata.solution, kata.tests, kata.mistakes]
    paths += [kata.root / "solutions" / slug / f"{slug.split('_', 1)[1]}.py" for slug in sorted(kata.needs)]
    paths += sorted(path for pattern in MADE_WITH for path in (HOME / "dojo").glob(pattern))
    whole = hashlib.sha256()
    for path in paths:
        text = b""
        with contextlib.suppress(OSError):
            text = content_of(path).replace(b"\r\n", b"\n")  # a checkout may have other line ends
        whole.update(hashlib.sha256(text).digest())
    return whole.hexdigest()


def examples_of(suite: Suite) -> str:
    """A hash of all examples, numbers to four digits: versions of torch may differ in the last bits of a draw."""
    texts = (re.sub(r"0x[0-9a-f]+", "", check.example.text) for check in checks_of(suite))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def outcome_on(check: ClaimExample, subject: Subject, reference: object) -> Outcome:
    """What comes of a check of some code; one that does not end raises TimeUp."""
    try:
        with limit(check.claim.seconds):
            subject.renew()
            return check.claim.once(subject, reference, check.example)
    except TimeUp as error:
        return Outcome("raised", error, check.example)
