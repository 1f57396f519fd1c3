"""Where the computation of the code under test leaves the reference's: which of its numbers are not made there.

Both are run once with every operation of torch written down. Where all that goes into an operation of the reference
is there in the code under test too, but neither what comes out nor anything that is made of it, the two part.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .operations import KNOWN, TracedCall, in_words, plain_name
from .replay import Implementation, Replay
from .values import close

STEPS = 200  # of one call that are looked at
ALIKE = 3  # failures that are looked at
CUT = "a cut to some entries"
PASSED_ON = (
    *("getitem", "view", "reshape", "transpose", "permute", "contiguous", "unsqueeze", "squeeze", "expand", "chunk"),
    *("split", "unbind", "flatten", "T", "mT", "clone", "to", "float", "double", "detach", "get", "set", "item"),
)  # operations that change no number


@dataclass
class Step:
    """An operation, the steps that made what went into it, and what came out."""

    call: TracedCall
    inside: str  # the function that called it
    inputs: list[int]
    leaves: list[Tensor]  # what went into it that no step made
    output: Tensor

    @property
    def telling(self) -> bool:
        """Whether its numbers are not there by chance."""
        if self.output.numel() < 3:
            return bool(self.output.isfinite().all()) and all(12 * v % 1 for v in self.output.flatten().tolist())
        return self.output.numel() > 2 and len(set(self.output.flatten()[:64].tolist())) > 2


@dataclass
class _Trace(TorchFunctionMode):
    steps: list[Step] = field(default_factory=list)
    makers: dict[int, int] = field(default_factory=dict)  # of tensors, by identity
    kept: list[Any] = field(default_factory=list)  # so that no identity is used twice

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        name = plain_name(function)
        given = [v for v in _flat((*args, *kwargs.values())) if isinstance(v, Tensor) and v.is_floating_point()]
        before = [value.detach().double().clone() for value in given]
        result = function(*args, **kwargs)
        outputs = [args[0]] if name == "setitem" else [v for v in _flat([result]) if isinstance(v, Tensor)]
        for output in outputs:
            if len(self.steps) < STEPS and output.is_floating_point() and not output.is_meta and given:
                inputs = [self.makers[id(v)] for v in given if id(v) in self.makers]
                leaves = [copy for v, copy in zip(given, before) if id(v) not in self.makers]
                self.makers[id(output)] = len(self.steps)
                call = TracedCall(name, args, kwargs, None)
                self.steps.append(Step(call, _caller(), inputs, leaves, output.detach().double().clone()))
                self.kept += [output, *given]
        return result


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(value)
        else:
            yield value


def _caller() -> str:
    """The function, or the class of the module, in whose code an operation is called."""
    frame: Any = sys._getframe(2)
    while frame.f_back is not None and "torch" in frame.f_globals.get("__name__", "").split("."):
        frame = frame.f_back
    name: str = frame.f_code.co_name
    owner = frame.f_locals.get("self")
    return type(owner).__name__ if name in ("forward", "__init__") and owner is not None else name


def first_difference(failures: Sequence[Replay]) -> Iterator[str]:
    """How far it is right, and what should come then; said where it is the same in most failures but for numbers."""
    sentences = [sentence for replay in failures[:ALIKE] if (sentence := _first_difference(replay))]
    alike = [re.sub(r"[\d.]+(e-?\d+)?", "", sentence) for sentence in sentences]
    if sentences and 2 * alike.count(alike[0]) >= len(failures[:ALIKE]):
        yield sentences[0]


def first_nan(failures: Sequence[Replay]) -> Iterator[str]:
    """In which operation of the code under test NaN comes up, which the reference does not give."""
    sentences = [_first_nan(replay) for replay in failures[:ALIKE]]
    if sentences and sentences.count(sentences[0]) == len(sentences):
        yield from filter(None, sentences[:1])


def _first_nan(replay: Replay) -> str:
    steps = _traced(replay, replay.own)
    for at, step in enumerate(steps):
        given = [*step.leaves, *(steps[before].output for before in step.inputs)]
        if step.output.isnan().any() and not any(value.isnan().any() for value in given):
            rows = any(value.ndim and (value == -torch.inf).all(-1).any() for value in given)
            why = ": a row of it is nothing but −∞" if rows else ""
            return f"It becomes NaN in {_in_words(replay, steps, at)}{why}."
    return ""


def _first_difference(replay: Replay) -> str:
    want, got = _traced(replay, replay.reference), _traced(replay, replay.own)
    made = _Numbers([step.output for step in got] + [leaf for step in got for leaf in step.leaves])
    there = [not step.telling or step.output in made for step in want]
    later = _later(want, there)
    fine = [here or after for here, after in zip(there, later)]
    for at, step in enumerate(want):
        known = step.call.name in KNOWN and step.telling
        if known and not fine[at] and all(fine[before] for before in step.inputs):
            return _words(replay, want, at, got)
    return ""


def _later(steps: Sequence[Step], there: Sequence[bool]) -> list[bool]:
    """Of each step whether something that is made of it is there."""
    later = [False] * len(steps)
    for at in reversed(range(len(steps))):
        for before in steps[at].inputs:
            later[before] |= later[at] or (there[at] and steps[at].telling)
    return later


def _words(replay: Replay, want: Sequence[Step], at: int, got: Sequence[Step]) -> str:
    expected = _in_words(replay, want, at)
    inputs = [before for before in map(lambda n: _source(want, n), want[at].inputs) if want[before].telling]
    known = [before for before in inputs if want[before].call.name in KNOWN]
    values = [want[before].output for before in inputs] or want[at].leaves
    used = _next_of(got, values, [step.output for step in want])
    own = _in_words(replay, got, used) if used is not None else ""
    comes = "" if not own else ", and other numbers come out" if own == expected else f", and {own} comes"
    if known:
        return f"Right up to {_in_words(replay, want, known[-1])}. Then {expected} is expected{comes}."
    if own == expected:
        return f"At the start {expected} is expected, and it gives other numbers."
    return f"At the start {expected} is expected, and {own} comes." if own else ""


def _in_words(replay: Replay, steps: Sequence[Step], at: int) -> str:
    """An operation, and in which function it is called, or which of several it is."""
    call, inside = steps[at].call, steps[at].inside
    if call.name not in KNOWN:
        return CUT if _cuts(steps[at]) else f"`{call.name}`"
    numbers = {n: v for n, v in replay.inputs().items() if isinstance(v, (int, float)) and v not in (0, 1, 2)}
    if inside != replay.call.title:
        return f"{in_words([call], 0, {**numbers, **replay.sizes})} in `{inside}`"
    return in_words([step.call for step in steps], at, {**numbers, **replay.sizes})


def _source(steps: Sequence[Step], at: int) -> int:
    """The step that made the numbers that a step only passes on."""
    while steps[at].call.name in PASSED_ON and steps[at].inputs:
        at = steps[at].inputs[0]
    return at


def _next_of(steps: Sequence[Step], values: Sequence[Tensor], right: Sequence[Tensor]) -> int | None:
    """The first step that takes one of some values and gives what the reference never has."""
    used, known = _Numbers(values), _Numbers(right)
    for at, step in enumerate(steps):
        given = [*step.leaves, *(steps[before].output for before in step.inputs)]
        if step.call.name in PASSED_ON and not _cuts(step):
            continue
        if any(value in used for value in given) and step.output not in known:
            return at
    return None


def _cuts(step: Step) -> bool:
    """Whether a step leaves out some of the numbers that it is given."""
    return step.call.name == "getitem" and step.output.numel() < step.call.args[0].numel()


class _Numbers:
    """Tensors, looked up by the numbers that they hold, in whatever places."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self.of_size: dict[int, list[Tensor]] = {}
        for tensor in tensors:
            self.of_size.setdefault(tensor.numel(), []).append(tensor.flatten().sort().values)

    def __contains__(self, tensor: Tensor) -> bool:
        ordered = tensor.flatten().sort().values
        return any(close(other, ordered) for other in self.of_size.get(tensor.numel(), ()))


def _traced(replay: Replay, side: Implementation) -> list[Step]:
    with _Trace() as trace:
        replay.ask(side)
    steps: list[Step] = trace.steps
    return steps
