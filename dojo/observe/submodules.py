"""Which part of a module goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from .relations import how
from .replay import Implementation, Replay
from .values import Failure, alike, plain


@dataclass
class Passage:
    """What went into a part of a module, and what came out, call by call."""

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)


def submodules(failures: Sequence[Replay]) -> Iterator[str]:
    """The first part that gets, or gives, something wrong; said where it is the same in every failure."""
    sentences = [_first_wrong(replay) for replay in failures]
    like = [failure for words, failure in sentences if words == sentences[0][0]]
    if sentences and sentences[0][0] and 2 * len(like) >= len(sentences):
        relation = next(how([failure for failure in like if failure is not None]), "")
        yield sentences[0][0][:-1] + (f": {_lower(relation)}" if relation else ".")


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _first_wrong(replay: Replay) -> tuple[str, Failure | None]:
    got, want = _passages(replay, replay.own), _passages(replay, replay.reference)
    order = [path for path in want if path in got]
    owner = replay.own.module
    own = {path for path, _ in owner.named_modules()} if isinstance(owner, nn.Module) else set()
    missing = [path for path in want if path not in got and path in own]
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
                return f"What its part `{path}` gets is wrong already.", _failure(entered, should, replay)
        for left, should in zip(mine.outputs, theirs.outputs):
            if not alike(left, should):
                return f"Its part `{path}` gets what it should, but gives something else.", _failure(
                    left, should, replay
                )
    if order and len(order) > 1:
        return f"All of its parts ({_listed(order)}) get and give what they should: what follows them is wrong.", None
    return "", None


def _listed(paths: Sequence[str]) -> str:
    shown = [f"`{path}`" for path in paths[:4]]
    return ", ".join(shown) + (", …" if len(paths) > 4 else "")


def _failure(got: Any, want: Any, replay: Replay) -> Failure | None:
    if isinstance(got, Tensor) and isinstance(want, Tensor) and got.shape == want.shape and got.dtype == want.dtype:
        return Failure(got, want, replay.sizes, replay.inputs())
    return None


def _passages(replay: Replay, side: Implementation) -> dict[str, Passage]:
    """What goes through each part, in the order in which they are left."""
    passages: dict[str, Passage] = {}
    if side.module is None:
        return passages
    handles = []
    for path, module in side.module.named_modules():
        if path and not isinstance(module, nn.ModuleList):

            def note(_: Any, inputs: Any, output: Any, path: str = path) -> None:
                passage = passages.setdefault(path, Passage())
                passage.inputs.append(plain(inputs[0]) if inputs else None)
                passage.outputs.append(plain(output))

            handles.append(module.register_forward_hook(note))
    try:
        replay.ask(side)
    finally:
        for handle in handles:
            handle.remove()
    return passages
