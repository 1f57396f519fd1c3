"""Whether a learner's code may race: it is judged first. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..curriculum import stubs
from ..curriculum.catalog import Kata
from ..judge.client import Judge, JudgeError
from ..learner.session import Session
from ..system.command import command
from .jobs import YOURS, Event, refusal


@dataclass
class LearnersCode:
    """Whether a learner's code takes part in a race, beside the katas that are solved."""

    solved: frozenset[str]
    takes_part: bool = False
    event: Event = field(default_factory=lambda: Event())  # why not: `refused` or `left_out`


def judge_learners_code(session: Session, kata: Kata) -> LearnersCode:
    """Judge a learner's kata, unless its file as it stands has passed already."""
    solved = session.progress.solved(session.catalog)
    if kata.slug in solved:
        return LearnersCode(solved, True)
    if not kata.file.exists() or stubs.read(kata.file) == stubs.stub_of(kata):
        line = f"yours: {kata.code} is not started. {command('test', KATA=kata.number)} begins it"
        return LearnersCode(solved, event={"left_out": line})
    try:
        with Judge(session.root) as judge:
            verdict = judge.verdict(kata, solved)
    except JudgeError as error:
        return LearnersCode(solved, event=refusal(YOURS, str(error), "error"))
    if verdict.verdict == "passed":
        return LearnersCode(solved | {kata.slug}, True)
    if verdict.verdict == "not_started":
        line = f"yours: {kata.code} is not finished. {verdict.message}"
        return LearnersCode(solved, event={"left_out": line})
    looks = ", or ".join(mistake.name for mistake in verdict.diagnosis)
    reason = verdict.message + (f" It looks like this: {looks}." if looks else "")
    return LearnersCode(solved, event=refusal(YOURS, f"{kata.code} does not pass. {reason}", verdict.verdict))
