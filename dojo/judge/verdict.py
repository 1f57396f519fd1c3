"""A verdict, as data: what the judge hands over, `--json` prints and the report reads. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Verdict:
    """What came of judging a kata; `as_dict` is the JSON object that `dojo test --json` prints.

    verdict: passed; failed (a claim does not hold); not_started (the next step is still the stub's);
    error (the file cannot be run, or not to an end); refused (a call or import that is not allowed).
    """

    kata: str
    verdict: str = "passed"
    step: int | None = None  # the step at which it stopped
    message: str = ""  # one line: what is wrong
    claim: str = ""
    property: str = ""
    example: dict[str, str] = field(default_factory=dict)
    expected: str = ""
    got: str = ""
    where: dict[str, Any] | None = None  # file, line, code
    diagnosis: list[dict[str, Any]] = field(default_factory=list)  # name, explanation, step
    relation: str = ""  # how several mistakes belong together: one, both, either, includes
    steps: list[dict[str, Any]] = field(default_factory=list)
    stand_ins: list[dict[str, Any]] = field(default_factory=list)  # kata, names
    notes: list[str] = field(default_factory=list)
    output: str = ""  # what the learner's code printed
    traceback: str = ""
    seconds: float = 0.0
    fingerprint: str | None = None  # the hash of the file that was judged

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
