"""Whether a learner's code may race: it is judged first. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from ..curriculum import stubs
from ..curriculum.catalog import Kata
from ..judge.client import Judge, JudgeError
from ..learner.session import School
from .jobs import YOURS
from .results import Refusal


@dataclass
class LearnersCode:
    """What a learner has for a race: whether it takes part; else why it is refused, or left out."""

    solved: frozenset[str]
    takes_part: bool = False
    refused: Refusal | None = None
    left_out: str = ""


def judge_learners_code(school: School, kata: Kata) -> LearnersCode:
    """Judge a learner's kata, unless its file as it stands has passed already."""
    solved = school.progress.solved(school.catalog)
    if kata.slug in solved:
        return LearnersCode(solved, True)
    if not kata.file.exists() or stubs.read(kata.file) == stubs.stub_of(kata):
        hint = f"make test KATA={kata.number} begins it"
        return LearnersCode(solved, left_out=f"yours: {kata.code} is not started. {hint}")
    try:
        with Judge(school.root) as judge:
            verdict = judge.verdict(kata, solved)
    except JudgeError as error:
        return LearnersCode(solved, refused=_refusal(str(error), "error"))
    if verdict.verdict == "passed":
        return LearnersCode(solved | {kata.slug}, True)
    if verdict.verdict == "not_started":
        return LearnersCode(solved, left_out=f"yours: {kata.code} is not finished. {verdict.message}")
    looks = ", or ".join(mistake.name for mistake in verdict.diagnosis)
    reason = verdict.message + (f" It looks like this: {looks}." if looks else "")
    return LearnersCode(solved, refused=_refusal(f"{kata.code} does not pass. {reason}", verdict.verdict))


def _refusal(reason: str, kind: str) -> Refusal:
    return {"name": YOURS, "reason": reason, "kind": kind}
