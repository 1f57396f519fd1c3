"""What a failure becomes in the verdict: a message, the example, a line of the learner's file, the likely mistake."""

from __future__ import annotations

import inspect
import io
import re
import traceback
import warnings
from collections.abc import Collection, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..curriculum.stubs import begun
from ..observe.observations import observe
from ..observe.where import known_names
from ..sandbox.limits import out_of_memory
from ..sandbox.source import LoadError, read_source
from ..sandbox.subject import Subject
from ..spec.check import Mismatch
from ..spec.claims import Claim, Outcome
from ..spec.errors import Missing, Refused, TimeUp, unwritten_step
from ..spec.show import quoted, sentence, show, summary
from ..spec.strategies import Sizes
from .diagnosis import Diagnosis, MistakeMatcher
from .example import Call, calls_of, decisive, pasted
from .index import IndexUnusable
from .index import load as load_index
from .messages import Event
from .verdict import Location, NamedMistake, VerdictKind

if TYPE_CHECKING:
    from .run import KataRun

SLIPS = (NameError, ImportError, SyntaxError)  # errors that are never meant, also where another error should be raised


def import_failed(run: KataRun, error: BaseException) -> None:
    """The learner's file cannot be imported."""
    line = error.line if isinstance(error, LoadError) else None
    kind: VerdictKind = "error"
    if isinstance(error, LoadError):
        message = str(error)
    elif isinstance(error, Refused):
        kind, message = "refused", str(error)
    elif isinstance(error, TimeUp):
        message = f"Importing your file {error}"
    elif isinstance(error, SystemExit):
        message = "Your file ends the program while it is imported (sys.exit?)."
    elif out_of_memory(error):
        message = "Importing your file takes more memory than it may."
    else:
        message = f"Importing your file raises {summary(error)}"
    stop(run, kind, message, error=None if isinstance(error, LoadError) else error, line=line)


def claim_failed(run: KataRun, claim: Claim, outcome: Outcome) -> None:
    """A claim does not hold."""
    error, subject = outcome.error, run.subject
    assert error is not None and subject is not None
    if outcome.kind == "not_started":
        step = unwritten_step(error, subject.filename) or claim.step
        state = "finished" if begun(run.kata, run.path, step) else "started"
        stop(run, "not_started", f"Step {step} is not {state}.", claim=claim, step=step, error=error)
    elif outcome.kind == "missing":
        stop(run, "error", str(error), claim=claim)
    elif outcome.kind == "refused":
        stop(run, "refused", str(error), claim=claim, error=error)
    elif isinstance(error, TimeUp):
        stop(run, "error", f"Your code {error}", claim=claim, error=error)
    elif out_of_memory(error):
        stop(run, "error", "Your code asks for more memory than it may have.", claim=claim, error=error)
    elif isinstance(error, SystemExit):
        stop(run, "error", "Your code ends the program (sys.exit?).", claim=claim, error=error)
    else:
        stop(run, "failed", _what_is_wrong(subject, error), claim=claim, error=error)
        _show_example(run, claim, error, outcome)
        if run.diagnoses:
            _diagnose(run, subject, claim, outcome)


def stop(
    run: KataRun,
    kind: VerdictKind,
    message: str,
    *,
    claim: Claim | None = None,
    step: int | None = None,
    error: BaseException | None = None,
    line: int | None = None,
) -> None:
    """Fill in what ends a run: where it happened, and in which line."""
    verdict = run.verdict
    verdict.verdict, verdict.message = kind, message
    if claim is not None:
        verdict.step, verdict.claim, verdict.property = step or claim.step, claim.sentence, claim.name
    if error is not None:
        verdict.traceback = "".join(traceback.format_exception(error))
        raised = error.__cause__ if isinstance(error, Mismatch) else error
        if raised is not None:
            line = line or _deepest_line(raised, run.path)
    if line is None and claim is not None and run.subject is not None and not isinstance(error, Missing):
        line = _definition(run.subject, run.used.get(claim.name, frozenset()), error)
    if line is not None:
        verdict.where = _location(run, line)


def _location(run: KataRun, line: int) -> Location:
    while quoted(run.path, line).lstrip().startswith("@"):  # a decorator: what it stands above says more
        line += 1
    inside = run.path.is_relative_to(run.kata.root)
    file = run.path.relative_to(run.kata.root).as_posix() if inside else str(run.path)
    return Location(file, line, quoted(run.path, line))


def note(run: KataRun, leaks: Iterable[str]) -> None:
    """Name the global settings that the learner's code left changed, each once."""
    notes = [f"Your code changed a setting for everyone: {leak}. It was put back." for leak in leaks]
    run.verdict.notes += [text for text in notes if text not in run.verdict.notes]


def _what_is_wrong(subject: Subject, error: BaseException) -> str:
    if isinstance(error, Mismatch) and isinstance(error.__cause__, SLIPS):
        return f"Your code raises {summary(error.__cause__)}"
    if isinstance(error, Mismatch):
        return _of_a_mismatch(error)
    if _deepest_line(error, subject.filename) is not None:
        return f"Your code raises {summary(error)}"
    return f"Your code could not be used as the contract says: {summary(error)}"


def _of_a_mismatch(error: Mismatch) -> str:
    problem, got, want = error.problem, error.got, error.want
    if "gradient" in problem:
        problem = problem.replace("is None: is a `return` missing?", "is None: was it cleared, or did none arrive?")
    if isinstance(got, Tensor) and isinstance(want, Tensor) and got.dtype != want.dtype and "dtype" not in problem:
        kinds = (str(each.dtype).removeprefix("torch.") for each in (got, want))
        problem += ", and dtype {}, not {}".format(*kinds)
    return sentence(_in_number(problem))


def _in_number(problem: str) -> str:
    """A problem whose verb agrees with what it is said of: "the logits after 1 token have wrong values"."""
    problem = re.sub(r"\b1 (token|step|row|head|layer|batch|entrie|window)(e?s)\b", _singular, problem)
    subject = re.split(r" (?:of|after|for|with|at|in|on|that|to|has|is|holds)\b|,| \(", problem, maxsplit=1)[0]
    noun = subject.split(" ")[-1]
    if not noun.isalpha() or not noun.endswith("s") or noun.endswith("ss") or noun in ("bias", "axis"):
        return problem
    for verb, plural in (("has", "have"), ("holds", "hold"), ("is", "are")):
        problem = re.sub(rf" {verb} (?=wrong|shape|dtype|NaN|None|not )", f" {plural} ", problem, count=1)
    return problem


def _singular(match: re.Match[str]) -> str:
    word = match.group(1)
    return f"1 {'entry' if word == 'entrie' else word}"


def _show_example(run: KataRun, claim: Claim, error: BaseException, outcome: Outcome) -> None:
    verdict, subject = run.verdict, run.subject
    shown = dict(outcome.example)
    got = None
    if isinstance(error, Mismatch) and not isinstance(error.__cause__, SLIPS):
        verdict.expected, verdict.got = error.texts() if error.want is not None else ("", show(error.got))
        shown |= error.given
        got = error.got
    if subject is not None and not claim.slow:
        dtype = torch.float64 if outcome.example.conditions.double(claim.double) else torch.float32
        calls = calls_of(claim, subject, run.reference, outcome.example)
        verdict.calls = pasted(calls, got, run.reference, dtype)
        if calls:
            _show_method(run, subject, calls[decisive(calls, got)])
    if verdict.calls:  # then values that only the claim has a name for say nothing
        known = known_names(run.reference) | (shown.keys() - outcome.example.keys())
        shown = {name: value for name, value in shown.items() if name in known or isinstance(value, Sizes)}
        shown = {n: replace(v, seed=0) if isinstance(v, Sizes) else v for n, v in shown.items()}
    verdict.example = {name: show(value) for name, value in shown.items()}
    if conditions := str(outcome.example.conditions):
        verdict.example["conditions"] = conditions


def _show_method(run: KataRun, subject: Subject, call: Call) -> None:
    """In the place of a class, or of nothing, the line of its method that was called."""
    owner, code = call.name.partition(".")[0], inspect.unwrap(call.function).__code__
    shown = run.verdict.where and run.verdict.where.line
    if "." in call.name and code.co_filename == subject.filename and shown in (None, subject.line_of(owner)):
        run.verdict.where = _location(run, code.co_firstlineno)


def _diagnose(run: KataRun, subject: Subject, claim: Claim, outcome: Outcome) -> None:
    run.notify(Event("undiagnosed", verdict=replace(run.verdict, steps=run.all_steps())))
    diagnosis = Diagnosis()
    unheard = io.StringIO()  # what a known mistake prints is not what the learner's code printed
    with redirect_stdout(unheard), redirect_stderr(unheard), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            lookup = MistakeMatcher(run.kata, run.workspace, run.suite, subject, load_index(run.kata), run.held)
            diagnosis = lookup.diagnose(claim)
        except IndexUnusable as error:
            run.verdict.notes.append(str(error))
        nothing = isinstance(outcome.error, Mismatch) and " is None" in outcome.error.problem  # which says the cause
        if not diagnosis.mistakes and not claim.slow and not nothing:
            solution = run.workspace.variant(run.kata, read_source(run.kata.solution), "the solution")
            run.verdict.observations = observe(claim, outcome, subject, solution, run.reference)
    run.verdict.relation = diagnosis.relation if diagnosis.mistakes else ""
    run.verdict.diagnosis = [
        NamedMistake(mistake.name, mistake.explanation, run.suite.step_of(mistake)) for mistake in diagnosis.mistakes
    ]


def _deepest_line(error: BaseException, file: Path | str) -> int | None:
    """The deepest line of a file in an error's traceback."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None


def _definition(subject: Subject, used: Collection[str], error: BaseException | None) -> int | None:
    """Where the definition begins that a failure is about: the only one that its claim used, or that it speaks of."""
    spoken_of = {name for name in used if re.search(rf"\b{re.escape(name)}\b", str(error))}
    about = spoken_of if len(spoken_of) == 1 else set(used)
    return subject.line_of(about.pop()) if len(about) == 1 else None
