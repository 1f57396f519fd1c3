"""A verdict, as data: what the judge hands over, `--json` prints and the learner's report reads. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

VerdictKind = Literal["passed", "failed", "not_started", "error", "refused"]
Status = Literal["passed", "failed", "not_started", "not_reached"]  # of a step or a claim
Relation = Literal["", "one", "both", "either", "includes"]


@dataclass
class Location:
    """A line of the learner's file."""

    file: str  # from the root of the clone, with slashes; absolute where it lies outside
    line: int
    code: str


@dataclass
class NamedMistake:
    """A mistake of the bank that explains the failure, and the step whose claim catches it."""

    name: str
    explanation: str
    step: int


@dataclass
class ClaimResult:
    """What came of one claim. `name` is its test function's, `claim` its sentence."""

    name: str
    claim: str
    status: Status
    seconds: float = 0.0


@dataclass
class StepResult:
    """What came of one step of a kata, with its claims (`properties`, as the JSON calls them)."""

    step: int
    title: str
    properties: list[ClaimResult]
    status: Status = "not_reached"
    seconds: float = 0.0


@dataclass
class StandIn:
    """An earlier kata, by its code, that the reference stands in for, and the names used of it."""

    kata: str
    names: list[str]


@dataclass
class Verdict:
    """What came of judging a kata; `as_dict` is the JSON object that `dojo test --json` prints.

    verdict: passed; failed (a claim does not hold); not_started (the next step is still the stub's);
    error (the file cannot be run, or not to an end); refused (a call or import that is not allowed).

    relation: how several mistakes belong together. "one": it is this; "both": these two at once; "either": one of
    these, which no example tells apart; "includes": this one, and another that stayed unnamed; "": none is named.
    """

    kata: str
    verdict: VerdictKind = "passed"
    step: int | None = None  # the step at which it stopped
    message: str = ""  # one line: what is wrong
    claim: str = ""  # the sentence of the claim that fails
    property: str = ""  # the name of that claim
    example: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)  # the call that was made in the example, as lines to be pasted
    expected: str = ""
    got: str = ""
    where: Location | None = None
    observations: list[str] = field(default_factory=list)  # sentences on how, on what and where it is wrong
    diagnosis: list[NamedMistake] = field(default_factory=list)
    relation: Relation = ""
    steps: list[StepResult] = field(default_factory=list)
    stand_ins: list[StandIn] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    output: str = ""  # what the learner's code printed
    traceback: str = ""
    seconds: float = 0.0
    fingerprint: str | None = None  # the hash of the file that was judged

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Verdict:
        """The verdict that `as_dict` gave."""
        return cls(
            **data
            | {
                "where": Location(**data["where"]) if data["where"] else None,
                "diagnosis": [NamedMistake(**mistake) for mistake in data["diagnosis"]],
                "steps": [
                    StepResult(**step | {"properties": [ClaimResult(**claim) for claim in step["properties"]]})
                    for step in data["steps"]
                ],
                "stand_ins": [StandIn(**stand_in) for stand_in in data["stand_ins"]],
            }
        )
