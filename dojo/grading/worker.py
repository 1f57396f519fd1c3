"""The process that grades: it imports torch and the katas, and forks a child for each submission.

`python -m dojo.grading.worker ROOT [apart]` answers requests, a line of JSON each, from its standard input. It runs
nothing of a submission itself; with `apart` it stands in a sandbox, in which it may make namespaces.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import secrets
import selectors
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import torch

from ..curriculum.catalog import Catalog, Kata
from ..judge import explain
from ..judge import worker as judge_worker
from ..judge.messages import Event, Request, line_of
from ..judge.run import KataRun
from ..judge.verdict import Verdict
from ..sandbox import loader
from ..sandbox.limits import bound_resources
from ..sandbox.loader import Workspace
from ..spec.claims import Claim, Outcome
from ..spec.isolation import hide_gpus
from ..spec.torch_internals import load_compiler
from ..system.files import keep
from . import confine
from .allowed import closed_in
from .guards import Guards
from .integrity import Canary, Integrity, settled_calls
from .views import Refuse
from .watcher import watch_over

BANKS = ("mistakes", "alternatives", "verdicts", "attacks")
HIDDEN = ("solutions", "katas", "runs", *(f"tests/{name}" for name in BANKS))
FORGED = "It writes where the verdict comes from, and so it has none."


class Worker:
    """The katas of one tree, each made ready when it is first asked for."""

    def __init__(self, root: Path, apart: bool):
        self.catalog = Catalog(root)
        self.workspace = Workspace(self.catalog)
        self.apart = apart
        self.hidden = [root / name for name in HIDDEN]
        self.canaries: dict[str, Canary] = {}
        texts = (path for kata in self.catalog.katas for path in (kata.solution, kata.tests, kata.mistakes))
        keep(path for path in texts if path.is_file())

    def grade(self, slug: str, source: bytes) -> Verdict:
        """The verdict on a submission of a kata, by a child."""
        kata = self.catalog.by_slug(slug)
        if slug not in self.canaries:
            self.prepare(kata)
        child = Child(self, kata, source)
        try:
            child.watch()
        finally:
            child.close()
        return child.verdict()

    def prepare(self, kata: Kata) -> None:
        """Judge the solution here: what that imports and draws, all children have from the start."""
        run = KataRun(kata, self.workspace, kata.solution)
        run.load(slow=False)
        for claim in run.suite.claims:
            if not claim.slow:
                run.check(claim)
        self.canaries[kata.slug] = Canary(run, kata.solution.read_text(encoding="utf-8"))
        gc.freeze()


class Child(judge_worker.Worker):
    """A forked process that judges one submission, as its worker knows it."""

    def __init__(self, worker: Worker, kata: Kata, source: bytes):
        super().__init__(Request(str(kata.root), kata.slug, []))
        self.key = secrets.token_hex(16)  # stands before every event: a line without was not written by the judge
        self._sends, give_events = os.pipe()
        self._prints, give_output = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(self._sends)
            os.close(self._prints)
            Judging(worker, kata, source, self.key, give_events).work(give_output)
        os.close(give_events)
        os.close(give_output)

    def take_event(self, data: bytes) -> None:
        """Note what it has sent, where that is the judge's."""
        super().take_event(data)
        whole, _, _ = self.sent.rpartition(b"\n")
        if any(not line.startswith(self.key.encode()) for line in whole.splitlines()):
            self.trouble = FORGED

    def verdict(self) -> Verdict:
        """The verdict that it has handed in, or what is known without."""
        mark = self.key.encode()
        self.sent = b"\n".join(line[len(mark) :] for line in self.sent.splitlines() if line.startswith(mark))
        if self.trouble == FORGED:
            self.sent = b""
        verdict = super().verdict()
        if self.trouble == FORGED:
            verdict.verdict = "refused"
        return verdict

    def watch(self) -> None:
        """Read its events and its output until it ends, or has to be stopped."""
        with selectors.DefaultSelector() as selector:
            for pipe in (self._sends, self._prints):
                selector.register(pipe, selectors.EVENT_READ)
            while not self.trouble and self._sends in selector.get_map():
                for key, _ in selector.select(0.25):
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fd)
                    elif key.fd == self._sends:
                        self.take_event(data)
                    else:
                        self.take_output(data)
                self.stop_what_does_not_end()

    def close(self) -> None:
        """End it and all that it has left running."""
        if self.trouble:
            os.kill(self.process, signal.SIGKILL)
        _, status = os.waitpid(self.process, 0)
        self.status = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)
        os.close(self._sends)
        os.close(self._prints)


class Judging:
    """What a child does: stand apart, judge, look whether it still is the judge, hand the verdict in."""

    def __init__(self, worker: Worker, kata: Kata, source: bytes, key: str, give_events: int):
        self.worker, self.kata, self.source = worker, kata, source
        self.run: GradedRun | None = None
        self._send = _sender(key, give_events)
        self._sealed = 0  # the process that was

    def work(self, give_output: int) -> NoReturn:
        """Do it all, and end this process."""
        try:
            os.setpgid(0, 0)
            null = os.open(os.devnull, os.O_RDONLY)
            for given, standard in ((null, 0), (give_output, 1), (give_output, 2)):
                os.dup2(given, standard)
            sys.stdout = os.fdopen(1, "w", 1, "utf-8", "backslashreplace", closefd=False)
            if self.worker.apart:
                self._in_new_numbering(confine.enter(tempfile.gettempdir()))
            self._judge()
        except BaseException as error:
            self._send(Event("trouble", f"Your code ends the program: it raises {type(error).__name__}."))
        finally:
            os._exit(0)

    def _in_new_numbering(self, first: int) -> None:
        """Go on in a process of the new numbering; this one waits for it, and ends as it does."""
        judging = os.fork()
        if judging == 0:
            return
        _, status = os.waitpid(judging, 0)
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        if os.WIFSIGNALED(status):
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
            os.kill(os.getpid(), os.WTERMSIG(status))
        os._exit(os.waitstatus_to_exitcode(status))

    def _judge(self) -> None:
        bound_resources()
        confine.bound()  # before any limit of a claim, which puts back what it met
        with tempfile.TemporaryDirectory() as folder:
            tempfile.tempdir = folder
            os.chdir(folder)
            path = Path(folder, self.kata.file.name)
            path.write_bytes(self.source)
            guards = Guards(self.refuse, closed_in(self.kata.code))
            self.path = path

            def run_sealed(source: str, filename: str, module: ModuleType) -> None:
                self._seal()
                guards.run(source, filename, module)

            loader.run_learners, loader.Calls = run_sealed, settled_calls(self.refuse)  # type: ignore[misc]
            run = self.run = GradedRun(self.kata, self.worker.workspace, path, self._send)
            run.refuse, run.integrity = self.refuse, Integrity()
            verdict = run.run()
            if why := run.integrity.changed():
                self.refuse(why)
            canary = self.worker.canaries[self.kata.slug]
            if any(step.status == "passed" for step in verdict.steps) and not canary.still_fails(run):
                self.refuse("a mistake that the judge knows passes where this submission has been")
            self._send(Event("verdict", verdict=_at_home(verdict, path)))

    def _seal(self) -> None:
        """From now on this process runs a submission: no file of the leader's is in sight, and there is no way back."""
        if self._sealed == os.getpid():
            return
        self._sealed = os.getpid()
        if self.worker.apart:
            confine.hide(self.worker.hidden)
            confine.drop()
        watch_over(self.kata.root, self.path, self.refuse)

    def refuse(self, why: str) -> NoReturn:
        """Hand in that the submission is refused, with the line at which it was, and end this process."""
        if (run := self.run) is not None:
            message = f"Grading does not allow this: {why[0].lower()}{why[1:]}."
            verdict = run.verdict
            explain.stop(run, "refused", message, line=_line_of(run.path))
            self._send(Event("verdict", verdict=_at_home(replace(verdict, steps=run.all_steps()), run.path)))
        os._exit(0)


class GradedRun(KataRun):
    """A run that looks, after each claim, whether something was left behind that the next would be judged under."""

    integrity: Integrity
    refuse: Refuse

    def load(self, slow: bool = True) -> bool:
        """Import the submission."""
        loaded = super().load(slow)
        if why := self.integrity.unsettled():
            self.refuse(why)
        return loaded

    def check(self, claim: Claim) -> Outcome:
        """Check one claim."""
        outcome = super().check(claim)
        if why := self.integrity.unsettled():
            self.refuse(why)
        return outcome


def _sender(key: str, pipe: int) -> Callable[[Event], None]:
    def send(event: Event) -> None:
        data = (key + line_of(event)).encode()
        while data:
            data = data[os.write(pipe, data) :]

    return send


def _line_of(path: Path) -> int | None:
    """The line of a submission that is running now."""
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_filename != str(path):
        frame = frame.f_back  # type: ignore[assignment]
    return frame.f_lineno if frame is not None else None


def _at_home(verdict: Verdict, path: Path) -> Verdict:
    """A verdict that names the file as its author does."""
    if verdict.where:
        verdict.where = replace(verdict.where, file=path.name)
    verdict.message = verdict.message.replace(str(path), path.name)
    verdict.traceback = ""
    return verdict


def main(root: str, *how: str) -> None:
    """Grade until no more requests come."""
    sys.path[:] = [path for path in sys.path if path and os.path.realpath(path) != os.getcwd()]  # written to by others
    hide_gpus()
    torch.set_num_threads(1)
    load_compiler()  # which puts other functions in the place of torch's, when it is first needed
    worker = Worker(Path(root), "apart" in how)
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        verdict = worker.grade(asked["slug"], asked["source"].encode("latin-1"))
        sys.stdout.write(json.dumps(verdict.as_dict()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
