"""Judge one kata in this process: its steps in order, up to the first that does not hold."""

from __future__ import annotations

import re
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..curriculum.catalog import Kata
from ..curriculum.stubs import begun
from ..sandbox import clean_process
from ..sandbox.limits import limit, out_of_memory
from ..sandbox.loader import Workspace
from ..sandbox.source import LoadError
from ..sandbox.subject import Subject
from ..spec.bans import enforced
from ..spec.check import Mismatch
from ..spec.claims import Claim, Outcome
from ..spec.errors import Missing, Refused, Stop, TimeUp, unwritten_step
from ..spec.isolation import hide_gpus, isolated
from ..spec.show import quoted, sentence, show, summary
from ..spec.suite import Suite, load_suite
from ..system.files import content_hash
from .diagnosis import Detective
from .partner import Partner
from .verdict import ClaimResult, Location, NamedMistake, StandIn, Status, StepResult, Verdict, VerdictKind

LOADING = 5.0  # seconds of processor time that importing a learner's file may take
STATUS: dict[str, Status] = {"passed": "passed", "not_started": "not_started"}  # of a claim, by its outcome
Notify = Callable[[dict[str, Any]], None]  # is told fields of the verdict as soon as they are known


class Judgement:
    """One kata being judged. `claims_of_step` may be driven one by one, as the pytest plugin does."""

    def __init__(self, kata: Kata, workspace: Workspace, path: Path | None = None, notify: Notify = lambda _: None):
        self.kata, self.workspace, self.notify = kata, workspace, notify
        self.path = path or kata.file
        hide_gpus()
        self.suite: Suite = load_suite(kata)
        self.subject: Subject | None = None
        self.partner: Partner | None = None
        self.diagnoses = True  # whether to look for the mistake behind what is wrong
        self.held: set[int] = set()  # steps that are known to hold
        self.verdict = Verdict(kata.code)
        stand_ins = workspace.stand_ins(kata)
        self.verdict.stand_ins = [StandIn(slug.split("_")[0], names) for slug, names in stand_ins.items()]

    def load(self) -> bool:
        """Import the learner's file; False, with the verdict filled in, when that fails."""
        if any(claim.slow for claim in self.suite.claims):
            clean_process.prepare()
        self.notify({"steps": self._steps_as_dicts(), "stand_ins": [asdict(one) for one in self.verdict.stand_ins]})
        self.reference = self.workspace.reference(self.kata)
        self.verdict.fingerprint = content_hash(self.path)  # before it is read: what is saved later was not judged
        leaks: list[str] = []
        try:
            with isolated(False, leaks), limit(LOADING), enforced(self.suite.bans, 0):
                self.subject = self.workspace.learner(self.kata, self.path)
        except LoadError as error:
            self._stop("error", str(error), line=error.line)
        except Refused as error:
            self._stop("refused", str(error), error=error)
        except TimeUp as error:
            self._stop("error", f"Importing your file {error}", error=error)
        except SystemExit as error:
            self._stop("error", "Your file ends the program while it is imported (sys.exit?).", error=error)
        except (Exception, Stop) as error:
            what = "takes more memory than it may." if out_of_memory(error) else f"raises {summary(error)}"
            self._stop("error", f"Importing your file {what}", error=error)
        self._note(leaks)
        return self.subject is not None

    def run(self, first: int = 0, alone: bool = True) -> Verdict:
        """Judge all steps, from step `first` on, up to the first that fails; unless `alone`, with a second process."""
        started = time.perf_counter()
        if self.load():
            if not alone:
                self.partner = Partner([claim for claim in self.suite.claims if not claim.slow][1::2], self.holds)
            for step, claims in self.suite.steps.items():
                if step < first:
                    self.held.add(step)
                    continue
                self.notify({"steps": self._steps_as_dicts()})
                outcomes = self.run_step(step, claims)
                if self.verdict.verdict != "passed":
                    break
                failing = [(claim, outcome) for claim, outcome in outcomes if outcome.kind != "passed"]
                if failing:
                    # What is wrong comes before what is not written yet.
                    failing.sort(key=lambda pair: pair[1].kind == "not_started")
                    self.fail(*failing[0])
                    break
        if self.partner:
            self.partner.close()
        self.verdict.steps = self._all_steps()
        self.verdict.seconds = round(time.perf_counter() - started, 4)
        return self.verdict

    def run_step(self, step: int, claims: list[Claim]) -> list[tuple[Claim, Outcome]]:
        """Check every claim of a step."""
        entry = StepResult(step, self.kata.steps.get(step, ""), [])
        self.verdict.steps.append(entry)
        found: dict[str, tuple[Claim, Outcome]] = {}
        seconds: dict[str, float] = {}
        for claim in sorted(claims, key=lambda claim: self.partner is not None and self.partner.has(claim)):
            started = time.perf_counter()
            taken = self.partner.took(claim) if self.partner else 0.0
            found[claim.name] = claim, Outcome("passed") if taken else self.check(claim)
            seconds[claim.name] = taken or time.perf_counter() - started
            if self.verdict.verdict != "passed" or found[claim.name][1].kind in ("missing", "refused"):
                break
        outcomes = [found[claim.name] for claim in claims if claim.name in found]
        for claim, outcome in outcomes:
            entry.properties.append(_result(claim, STATUS.get(outcome.kind, "failed"), seconds[claim.name]))
        states = {result.status for result in entry.properties}
        entry.status = "failed" if "failed" in states else "not_started" if "not_started" in states else "passed"
        entry.seconds = round(sum(result.seconds for result in entry.properties), 4)
        if entry.status == "passed":
            self.held.add(step)
        return outcomes

    def check(self, claim: Claim) -> Outcome:
        """Check one claim within its time; running out of time or memory ends the judgement."""
        assert self.subject is not None
        self.notify({"step": claim.step, "claim": claim.sentence, "property": claim.name})
        self.subject.called.clear()
        try:
            outcome = self._within_limits(claim, claim.check)
        except TimeUp as error:
            self._stop("error", f"Your code {error}", claim=claim, error=error)
            return Outcome("raised", error)
        self._note(outcome.leaks)
        return outcome

    def holds(self, claim: Claim) -> bool:
        """Whether a claim holds and nothing is to be summary of it."""
        outcome = self._within_limits(claim, claim.tried)
        return outcome.kind == "passed" and not outcome.leaks

    def _within_limits(self, claim: Claim, check: Callable[..., Outcome]) -> Outcome:
        costly = (lambda: enforced(self.suite.bans, claim.step),)
        with limit(claim.seconds):
            return check(self.subject, self.reference, (self.workspace.forbid_reading,), costly)

    def _note(self, leaks: Iterable[str]) -> None:
        notes = [f"Your code changed a setting for everyone: {leak}. It was put back." for leak in leaks]
        self.verdict.notes += [note for note in notes if note not in self.verdict.notes]

    def fail(self, claim: Claim, outcome: Outcome) -> None:
        """Fill the verdict in for a claim that does not hold."""
        error, kind = outcome.error, outcome.kind
        assert error is not None and self.subject is not None
        if kind == "not_started":
            step = unwritten_step(error, self.subject.filename) or claim.step
            state = "finished" if begun(self.kata, self.path, step) else "started"
            self._stop("not_started", f"Step {step} is not {state}.", claim=claim, step=step, error=error)
        elif kind == "missing":
            self._stop("error", str(error), claim=claim)
        elif kind == "refused":
            self._stop("refused", str(error), claim=claim, error=error)
        elif out_of_memory(error):
            self._stop("error", "Your code asks for more memory than it may have.", claim=claim, error=error)
        elif isinstance(error, SystemExit):
            self._stop("error", "Your code ends the program (sys.exit?).", claim=claim, error=error)
        else:
            self._stop("failed", self._what_is_wrong(error), claim=claim, error=error)
            if isinstance(error, Mismatch):
                texts = error.texts() if error.want is not None else ("", show(error.got))
                self.verdict.expected, self.verdict.got = texts
                self.verdict.example = {name: show(value) for name, value in error.given.items()}
            self.verdict.example = {name: show(value) for name, value in outcome.example.items()} | self.verdict.example
            if self.diagnoses:
                self._diagnose(claim, outcome)

    def _what_is_wrong(self, error: BaseException) -> str:
        assert self.subject is not None
        if isinstance(error, Mismatch):
            return sentence(error.problem)
        if self.subject.line_in(error) is not None:
            return f"Your code raises {summary(error)}"
        return f"Your code could not be used as the contract says: {summary(error)}"

    def _diagnose(self, claim: Claim, outcome: Outcome) -> None:
        assert self.subject is not None
        self.notify({"undiagnosed": self.verdict.as_dict() | {"steps": self._steps_as_dicts()}})
        try:
            with limit(10.0), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what a known mistake does is not what the learner's code printed
                detective = Detective(self.kata, self.workspace, self.suite, self.subject, self.held)
                found = detective.diagnose(claim, outcome)
        except TimeUp:
            return
        self.verdict.relation = found.relation if found.mistakes else ""
        self.verdict.diagnosis = [
            NamedMistake(mistake.name, mistake.explanation, self.suite.step_of(mistake)) for mistake in found.mistakes
        ]

    def _stop(
        self,
        verdict: VerdictKind,
        message: str,
        *,
        claim: Claim | None = None,
        step: int | None = None,
        error: BaseException | None = None,
        line: int | None = None,
    ) -> None:
        self.verdict.verdict, self.verdict.message = verdict, message
        if claim is not None:
            self.verdict.step = step or claim.step
            self.verdict.claim, self.verdict.property = claim.sentence, claim.name
        if error is not None:
            self.verdict.traceback, line = "".join(traceback.format_exception(error)), line or self._line(error)
        if line is None and claim is not None and self.subject is not None and not isinstance(error, Missing):
            line = self._definition(error)
        if line is not None:
            self.verdict.where = Location(self._file(), line, quoted(self.path, line))

    def _line(self, error: BaseException) -> int | None:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(self.path)]
        return lines[-1] if lines and not isinstance(error, Mismatch) else None

    def _definition(self, error: BaseException | None) -> int | None:
        """Where the one definition begins that a failure is about: the only one used, or the only one spoken of."""
        assert self.subject is not None
        used = set(self.subject.called)
        spoken_of = {name for name in used if re.search(rf"\b{re.escape(name)}\b", str(error))}
        about = spoken_of if len(spoken_of) == 1 else used
        return self.subject.line_of(about.pop()) if len(about) == 1 else None

    def _file(self) -> str:
        inside = self.path.is_relative_to(self.kata.root)
        return self.path.relative_to(self.kata.root).as_posix() if inside else str(self.path)

    def _all_steps(self) -> list[StepResult]:
        """The steps that were judged, and the others as not reached."""
        judged = {entry.step: entry for entry in self.verdict.steps}
        for step, claims in self.suite.steps.items():
            results = [_result(claim, "not_reached") for claim in claims]
            judged.setdefault(step, StepResult(step, self.kata.steps.get(step, ""), results))
        return list(judged.values())

    def _steps_as_dicts(self) -> list[dict[str, Any]]:
        return [asdict(step) for step in self._all_steps()]


def _result(claim: Claim, status: Status, seconds: float = 0.0) -> ClaimResult:
    return ClaimResult(claim.name, claim.sentence, status, round(seconds, 4))
