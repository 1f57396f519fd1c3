"""Judge one kata in this process: its steps in order, up to the first that does not hold."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..curriculum.catalog import Catalog, Kata
from ..sandbox import clean_process
from ..sandbox.limits import limit
from ..sandbox.loader import Workspace
from ..sandbox.source import LoadError
from ..sandbox.subject import Subject
from ..spec.bans import enforced
from ..spec.claims import Claim, Outcome
from ..spec.errors import Stop, TimeUp
from ..spec.isolation import hide_gpus, isolated
from ..spec.suite import Suite, load_suite
from ..system.command import DOOR
from ..system.files import content_hash
from . import explain
from .helper_process import HelperProcess, half
from .messages import Event, Request
from .verdict import ClaimResult, StandIn, Status, StepResult, Verdict

LOADING = 5.0  # seconds of processor time that importing a learner's file may take
STATUS: dict[str, Status] = {"passed": "passed", "not_started": "not_started"}  # by kind of outcome; else failed
_seconds: dict[str, dict[str, float]] = {}  # by kata and claim, those that this process has checked
Notify = Callable[[Event], None]  # is given each event as it happens


def judge(request: Request, notify: Notify = lambda event: None) -> Verdict:
    """Judge in this very process, whatever happens."""
    catalog = Catalog(Path(request.root))
    kata = catalog.by_slug(request.slug)
    if request.door:
        os.environ[DOOR] = request.door
    try:
        workspace = Workspace(catalog, frozenset(request.solved))
        run = KataRun(kata, workspace, Path(request.path) if request.path else None, notify)
        run.diagnoses = request.diagnose
        return run.run(alone=not hasattr(os, "fork") or (os.cpu_count() or 1) < 2)
    except Exception as error:  # the machinery itself broke
        message = f"The judge itself failed: {type(error).__name__}: {error}. Please report it, with --traceback."
        return Verdict(kata.code, "error", message=message, traceback=traceback.format_exc())


class KataRun:
    """One kata being judged. Claims may be checked one by one, by `load`, `check` and `fail`."""

    def __init__(self, kata: Kata, workspace: Workspace, path: Path | None = None, notify: Notify = lambda event: None):
        self.kata, self.workspace, self.notify = kata, workspace, notify
        self.path = path or kata.file
        hide_gpus()
        self.suite: Suite = load_suite(kata)
        self.subject: Subject | None = None
        self.seconds = _seconds.setdefault(kata.slug, {})
        self.diagnoses = True  # whether to look for the mistake behind what is wrong
        self.held: set[int] = set()  # steps that are known to hold
        self.used: dict[
            str, frozenset[str]
        ] = {}  # by the name of each claim that was checked: what it used of the file
        self.verdict = Verdict(kata.code)
        stand_ins = workspace.stand_ins(kata)
        self.verdict.stand_ins = [StandIn(slug.split("_")[0], names) for slug, names in stand_ins.items()]

    def load(self, slow: bool = True) -> bool:
        """Import the learner's file; False, with the verdict filled in, when that fails.

        Unless `slow` claims are left out, a process is kept for them that was forked before the file was loaded.
        """
        if slow and any(claim.slow for claim in self.suite.claims):
            clean_process.prepare()
        self._send_steps()
        self.reference = self.workspace.reference(self.kata)
        self.verdict.fingerprint = content_hash(self.path)  # before it is read: what is saved later was not judged
        leaks: list[str] = []
        try:
            with isolated(False, leaks), limit(LOADING), enforced(self.suite.bans, 0):
                self.subject = self.workspace.learner(self.kata, self.path)
        except (LoadError, SystemExit, Exception, Stop) as error:
            explain.import_failed(self, error)
        explain.note(self, leaks)
        return self.subject is not None

    def run(self, first: int = 0, alone: bool = True) -> Verdict:
        """Judge all steps, from step `first` on, up to the first that fails; unless `alone`, with a second process."""
        started = time.perf_counter()
        if self.load():
            claims = [claim for claim in self.suite.claims if not claim.slow]
            self.helper = HelperProcess([] if alone else half(claims, self.seconds), self.holds)
            self.held.update(step for step in self.suite.steps if step < first)
            for step, claims in self.suite.steps.items():
                if step >= first and not self._holds_step(step, claims):
                    break
            self.helper.close()
        self.verdict.steps = self.all_steps()
        self.verdict.seconds = round(time.perf_counter() - started, 4)
        return self.verdict

    def _holds_step(self, step: int, claims: list[Claim]) -> bool:
        """Check the claims of a step; False, with the verdict filled in, where one does not hold."""
        self._send_steps()
        failing = [(claim, outcome) for claim, outcome in self._outcomes(step, claims) if outcome.kind != "passed"]
        if failing:  # the first; what is wrong comes before what is not written yet
            self.fail(*min(failing, key=lambda pair: pair[1].kind == "not_started"))
        return not failing

    def _outcomes(self, step: int, claims: list[Claim]) -> list[tuple[Claim, Outcome]]:
        """Check every claim of a step, the helper's last, and put the step's result into the verdict."""
        outcomes: dict[str, Outcome] = {}
        seconds: dict[str, float] = {}
        end = len(claims)  # behind the first that ends the step, in whatever order they are checked
        for claim in sorted(claims, key=self.helper.has):
            if claims.index(claim) >= end:
                continue
            started = time.perf_counter()
            by_helper = self.helper.seconds_for(claim)
            outcome = outcomes[claim.name] = Outcome("passed") if by_helper else self.check(claim)
            seconds[claim.name] = by_helper or time.perf_counter() - started
            if isinstance(outcome.error, Stop):
                end = claims.index(claim) + 1
        checked = claims[:end]
        results = [
            _result(claim, STATUS.get(outcomes[claim.name].kind, "failed"), seconds[claim.name]) for claim in checked
        ]
        statuses: list[Status] = [result.status for result in results]
        status: Status = next((kind for kind in ("failed", "not_started") if kind in statuses), "passed")
        total = round(sum(result.seconds for result in results), 4)
        self.verdict.steps.append(StepResult(step, self.kata.steps.get(step, ""), results, status, total))
        if status == "passed":
            self.held.add(step)
        return [(claim, outcomes[claim.name]) for claim in checked]

    def check(self, claim: Claim) -> Outcome:
        """Check one claim within its time."""
        assert self.subject is not None
        self.notify(Event("claim", claim.name))
        self.subject.called.clear()
        claim.drawn  # noqa: B018 - the first time takes longer than the check
        started = time.perf_counter()
        try:
            outcome = self._within_limits(claim, claim.check)
        except TimeUp as error:
            outcome = Outcome("raised", error)
        self.seconds[claim.name] = time.perf_counter() - started
        self.used[claim.name] = frozenset(self.subject.called)
        explain.note(self, outcome.leaks)
        return outcome

    def fail(self, claim: Claim, outcome: Outcome) -> None:
        """Fill the verdict in for a claim that does not hold."""
        explain.claim_failed(self, claim, outcome)

    def holds(self, claim: Claim) -> bool:
        """Whether a claim holds and nothing is to be said of it."""
        outcome = self._within_limits(claim, claim.tried)
        return outcome.kind == "passed" and not outcome.leaks

    def renew(self) -> None:
        """Forget what the learner's module has kept of earlier claims, so that no verdict depends on their order."""
        assert self.subject is not None
        with contextlib.suppress(Exception, SystemExit, Stop):
            if self.subject.stale:  # to look takes a tenth of what the limits take
                with isolated(False, []), limit(LOADING):
                    self.subject.renew()

    def _within_limits(self, claim: Claim, check: Callable[..., Outcome]) -> Outcome:
        costly = (lambda: enforced(self.suite.bans, claim.step),)
        self.renew()
        with limit(claim.seconds):
            return check(self.subject, self.reference, (self.workspace.forbid_reading,), costly)

    def _send_steps(self) -> None:
        self.notify(Event("steps", verdict=replace(self.verdict, steps=self.all_steps())))

    def all_steps(self) -> list[StepResult]:
        """The steps that were judged, and the others as not reached."""
        judged = {result.step: result for result in self.verdict.steps}
        for step, claims in self.suite.steps.items():
            results = [_result(claim, "not_reached") for claim in claims]
            judged.setdefault(step, StepResult(step, self.kata.steps.get(step, ""), results))
        return list(judged.values())


def _result(claim: Claim, status: Status, seconds: float = 0.0) -> ClaimResult:
    return ClaimResult(claim.name, claim.sentence, status, round(seconds, 4))
