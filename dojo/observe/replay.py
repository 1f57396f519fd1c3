"""Calls of the code under test that are made again with something changed, each beside the solution's like call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .recording import PASSIVE, Arguments, RecordedCall, comparable, copies, has_file, state
from .values import alike, plain

Change = Mapping[str, Any]  # values of arguments and of parameters, by name, in place of those of the call


@dataclass
class Implementation:
    """One of the two codes: what it calls, with what, and the tensors of a module that may be changed."""

    function: Callable[..., Any]
    positional: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def module(self) -> nn.Module | None:
        """The module whose method is called, or that a function is given."""
        return next((v for v in (*self.positional, *self.named.values()) if isinstance(v, nn.Module)), None)

    def parameters(self) -> dict[str, Tensor]:
        """The parameters of the module."""
        return dict(self.module.named_parameters()) if self.module is not None else {}

    def options(self) -> dict[str, Any]:
        """The plain numbers that the module and its parts keep, by their path."""
        modules = self.module.named_modules() if self.module is not None else ()
        return {
            f"{path}.{name}" if path else name: value
            for path, module in modules
            for name, value in vars(module).items()
            if not name.startswith("_") and name != "training" and isinstance(value, (int, float))
        }

    @contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """Have other values in parameters and options, or the other mode, meanwhile."""
        parameters, options = self.parameters(), self.options()
        before = {name: parameters[name].data for name in change if name in parameters}
        kept = {name: options[name] for name in change if name in options and name not in parameters}
        training = getattr(self.module, "training", None)
        try:
            for name in before:
                parameters[name].data = change[name].detach().to(before[name].dtype).clone()
            self._set({name: change[name] for name in kept})
            if "training" in change and self.module is not None:
                self.module.train(change["training"])
            yield
        finally:
            for name, values in before.items():
                parameters[name].data = values
            self._set(kept)
            if "training" in change and self.module is not None:
                self.module.train(bool(training))

    def _set(self, options: Mapping[str, Any]) -> None:
        for name, value in options.items():
            path, _, attribute = name.rpartition(".")
            assert self.module is not None
            setattr(self.module.get_submodule(path), attribute, value)


@dataclass
class Replay:
    """A call that both codes are asked again; `got` and `want` are what they give, or leave, made comparable."""

    call: RecordedCall
    own: Implementation
    reference: Implementation
    names: tuple[str, ...]  # of the arguments by position, as the contract has them; "" for the object
    defaults: dict[str, Any]  # of the contract, for what the call leaves out
    sizes: Mapping[str, int] = field(default_factory=dict)  # of the example
    dtype: torch.dtype = torch.float32  # the default one during the call
    what: str = ""  # that the call changes, and is compared; "" for its result
    got: Any = None
    want: Any = None
    nondeterministic: bool = False  # the code under test draws random numbers, and the reference does not

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by their names."""
        given = dict(zip(self.names, self.reference.positional))
        return self.defaults | {n: v for n, v in given.items() if n} | self.reference.named

    def inputs(self) -> dict[str, Any]:
        """The tensors and plain numbers among the arguments and the options; of pairs of numbers each by itself."""
        values = self.reference.options() | self.arguments
        pairs = {n: v for n, v in values.items() if isinstance(v, (tuple, list)) and 0 < len(v) < 4}
        values |= {f"{n}[{at}]": part for n, v in pairs.items() for at, part in enumerate(v)}
        return {name: plain(value) for name, value in values.items() if isinstance(value, (Tensor, int, float))}

    def ask(self, side: Implementation, change: Change | None = None, seed: int = 0) -> Any:
        """What a code gives, or leaves, with a change."""
        result, left = self.asked(side, change, seed)
        return left.get(self.what) if self.what else result

    def asked(self, side: Implementation, change: Change | None = None, seed: int = 0) -> tuple[Any, dict[str, Any]]:
        """What a code gives, and what it leaves changed."""
        change = change or {}
        positional = tuple(change.get(name, value) for name, value in zip(self.names, side.positional))
        named = {name: change.get(name, value) for name, value in side.named.items()}
        named |= {name: change[name] for name in self.defaults if name in change}
        with torch.random.fork_rng(devices=[]), default_dtype(self.dtype), side.changed(change):
            given = copies((positional, named)) if self._may_change else (positional, named)
            assert given is not None
            torch.manual_seed(seed)
            result = comparable(side.function(*given[0], **given[1]))
            return result, state(given) if self._may_change else {}

    @property
    def costly(self) -> bool:
        """Whether a module is copied each time that the call is made."""
        return self._may_change and self.own.module is not None

    @property
    def _may_change(self) -> bool:
        """Whether there is anything among the arguments that a call may change, but for the module it is of."""
        of_module = isinstance(self.own.positional[0], nn.Module) if self.own.positional else False
        others = (*self.own.positional[bool(of_module and not self.names[0]) :], *self.own.named.values())
        return any(not isinstance(value, PASSIVE) for value in others)

    def lost(self) -> bool:
        """Whether the answer is not finite where it should be."""
        pairs = zip(*(each if isinstance(each, tuple) else (each,) for each in (self.got, self.want)))
        return any(
            isinstance(g, Tensor) and isinstance(w, Tensor) and g.isnan().any() > w.isnan().any() for g, w in pairs
        )

    def random(self) -> bool:
        """Whether the reference draws random numbers that no argument fixes."""
        return not alike(self.ask(self.reference, seed=1), self.ask(self.reference, seed=2))

    @property
    def wrong(self) -> bool:
        """Whether the code under test does not answer as the reference does."""
        return self.nondeterministic or not alike(self.got, self.want)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Have numbers made in this dtype meanwhile."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def replay_of(mine: RecordedCall, theirs: RecordedCall, sizes: Mapping[str, int], dtype: torch.dtype) -> Replay | None:
    """Two like calls, to be made again; None where one of the codes does not answer again as it did."""
    with suppress(Exception), default_dtype(dtype):
        replay = _replay(mine, theirs)
        if replay is not None:
            replay.sizes, replay.dtype = sizes, dtype
            return replay if _answers_again(replay) else None
    return None


def _answers_again(replay: Replay) -> bool:
    """Whether both codes answer again as they did; fills in what they answer, and what is wrong of it."""
    (replay.got, left), (replay.want, should) = replay.asked(replay.own), replay.asked(replay.reference)
    if not alike(replay.want, replay.ask(replay.reference)):
        return False
    if not alike(replay.got, replay.call.result):
        replay.nondeterministic = not replay.random() and not alike(replay.got, replay.ask(replay.own, seed=1))
        return replay.nondeterministic
    if replay._may_change and not alike(left, replay.call.after):
        return False
    if has_file(left) != has_file(should):
        return False
    wrong = [name for name, value in should.items() if name in left and not alike(left[name], value)]
    if alike(replay.got, replay.want) and wrong:
        replay.what = wrong[0]
        replay.got, replay.want = left[replay.what], should[replay.what]
        return alike(replay.want, replay.ask(replay.reference))
    return True


def _replay(mine: RecordedCall, theirs: RecordedCall) -> Replay | None:
    if mine.given is None or theirs.given is None or mine.name.endswith("__init__"):
        return None
    given = _with_values_of(theirs.given, mine.given)
    parameters = inspect.signature(theirs.function).parameters
    names = tuple(parameters)
    if "." in theirs.name:
        names = ("", *names[1:])
    if len(names) < len(given[0]):
        return None
    passed = {*names[: len(given[0])], *given[1]}
    rest = {name: parameters[name].default for name in names if name and name not in passed}
    defaults = {name: value for name, value in rest.items() if value is not inspect.Parameter.empty}
    own, reference = Implementation(mine.function, *mine.given), Implementation(theirs.function, *given)
    return Replay(mine, own, reference, names, defaults)


def _with_values_of(theirs: Arguments, mine: Arguments) -> Arguments:
    if len(theirs[0]) != len(mine[0]) or theirs[1].keys() != mine[1].keys():
        raise ValueError
    positional = tuple(map(_like, theirs[0], mine[0]))
    return positional, {name: _like(value, mine[1][name]) for name, value in theirs[1].items()}


def _like(theirs: Any, mine: Any) -> Any:
    """The solution's value for one of the code under test: the same one, or an object with the same parameters."""
    if isinstance(mine, nn.Module):
        own = dict(mine.named_parameters())
        for path, values in theirs.named_parameters():
            if own[path].shape != values.shape:
                raise ValueError
            values.data = own[path].detach().clone()
        return theirs.train(mine.training)
    if type(mine) in (list, tuple) and len(mine) == len(theirs):
        return type(mine)(map(_like, theirs, mine))
    return mine if isinstance(mine, (*PASSIVE, torch.Generator, dict)) else theirs
