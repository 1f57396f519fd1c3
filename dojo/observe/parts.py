"""Which part of a module goes wrong, and for which simple values nothing does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .relations import Failure, how
from .twins import Side, Twins, alike, plain


@dataclass
class Passage:
    """What went into a part of a module, and what came out, call by call."""

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)


def parts(failures: Sequence[Twins]) -> Iterator[str]:
    """The first part that gets, or gives, something wrong; said where it is the same in every failure."""
    sentences = [_first_wrong(twins) for twins in failures]
    like = [failure for words, failure in sentences if words == sentences[0][0]]
    if sentences and sentences[0][0] and 2 * len(like) >= len(sentences):
        relation = next(how([failure for failure in like if failure is not None]), "")
        yield sentences[0][0][:-1] + (f": {_lower(relation)}" if relation else ".")


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _first_wrong(twins: Twins) -> tuple[str, Failure | None]:
    got, want = _passages(twins, twins.own), _passages(twins, twins.reference)
    order = [path for path in want if path in got]
    missing = [path for path in want if path not in got and path in twins_parts(twins)]
    if missing:
        return f"Its part `{missing[0]}` is never called.", None
    if sorted(got) == sorted(want) and list(got) != list(want) and len(want) < 8:
        called, meant = (", ".join(f"`{path}`" for path in passages) for passages in (got, want))
        return f"Its parts are called in the order {called}; expected is {meant}.", None
    for path in order:
        mine, theirs = got[path], want[path]
        if len(mine.inputs) != len(theirs.inputs):
            times = f"{len(mine.inputs)} times" if len(mine.inputs) > 1 else "once"
            return f"Its part `{path}` is called {times}, not {len(theirs.inputs)}.", None
        for entered, should in zip(mine.inputs, theirs.inputs):
            if not alike(entered, should):
                return f"What its part `{path}` gets is wrong already.", _failure(entered, should, twins)
        for left, should in zip(mine.outputs, theirs.outputs):
            if not alike(left, should):
                return f"Its part `{path}` gets what it should, but gives something else.", _failure(
                    left, should, twins
                )
    if order and len(order) > 1:
        return f"All of its parts ({_listed(order)}) get and give what they should: what follows them is wrong.", None
    return "", None


def _listed(paths: Sequence[str]) -> str:
    shown = [f"`{path}`" for path in paths[:4]]
    return ", ".join(shown) + (", …" if len(paths) > 4 else "")


def twins_parts(twins: Twins) -> set[str]:
    """The paths of the parts that the module under test has."""
    return {path for path, _ in twins.own.owner.named_modules()} if isinstance(twins.own.owner, nn.Module) else set()


def _failure(got: Any, want: Any, twins: Twins) -> Failure | None:
    if isinstance(got, Tensor) and isinstance(want, Tensor) and got.shape == want.shape and got.dtype == want.dtype:
        inputs = {name: plain(value) for name, value in twins.arguments.items() if isinstance(value, Tensor)}
        return Failure(got, want, twins.sizes, inputs)
    return None


def _passages(twins: Twins, side: Side) -> dict[str, Passage]:
    """What goes through each part, in the order in which they are left."""
    passages: dict[str, Passage] = {}
    if not isinstance(side.owner, nn.Module):
        return passages
    handles = []
    for path, module in side.owner.named_modules():
        if path and not isinstance(module, nn.ModuleList):

            def note(_: Any, inputs: Any, output: Any, path: str = path) -> None:
                passage = passages.setdefault(path, Passage())
                passage.inputs.append(plain(inputs[0]) if inputs else None)
                passage.outputs.append(plain(output))

            handles.append(module.register_forward_hook(note))
    try:
        twins.ask(side)
    finally:
        for handle in handles:
            handle.remove()
    return passages


# Simple values for which the code is right.


def simplified(failures: Sequence[Twins]) -> Iterator[str]:
    """Simple values of an argument or a parameter that make the answer right on every failure."""
    if not failures or any(twins.fickle for twins in failures):
        return
    first = failures[0]
    for name, value in [*first.reference.parameters().items(), *first.arguments.items()]:
        if isinstance(value, Tensor) and value.numel() > 1 and value.is_floating_point():
            for words, change in SIMPLE[0 if name in first.reference.parameters() else 1 :]:
                if all(_is_right(twins, name, change) for twins in failures):
                    yield f"It is right when `{name}` {words}, and wrong otherwise: look at where `{name}` is used."
                    return


SIMPLE: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("is nothing but ones", torch.ones_like),
    ("has the same row everywhere", lambda value: value[..., :1, :].expand_as(value).clone()),
)


def _is_right(twins: Twins, name: str, change: Callable[[Tensor], Tensor]) -> bool:
    """Whether both codes then give the same, and something that is no constant."""
    with contextlib.suppress(Exception):
        value = twins.arguments.get(name, twins.reference.parameters().get(name))
        if value is None:
            return False
        changed = {name: change(value.detach())}
        want = twins.ask(twins.reference, changed)
        varies = isinstance(want, Tensor) and want.numel() > 2 and bool((want != want.flatten()[0]).any())
        return varies and not torch.equal(changed[name], value) and alike(twins.ask(twins.own, changed), want)
    return False
