"""Calls of the code under test that are made again with something changed, each beside the reference's like call."""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..sandbox.calls import Call

Change = Mapping[str, Any]  # values of arguments and of parameters, by name, in place of those of the call
MUTABLE = (nn.Module, torch.optim.Optimizer)  # of those among the arguments each call gets copies


@dataclass
class Implementation:
    """One of the two codes: what it calls, on which object, and the tensors of a module that may be changed."""

    function: Callable[..., Any]
    owner: Any = None

    def parameters(self) -> dict[str, Tensor]:
        """The parameters of the module whose method is called."""
        return dict(self.owner.named_parameters()) if isinstance(self.owner, nn.Module) else {}

    def options(self) -> dict[str, Any]:
        """The plain numbers that the module and its parts keep, by their path."""
        modules = self.owner.named_modules() if isinstance(self.owner, nn.Module) else ()
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
        training = getattr(self.owner, "training", None)
        try:
            for name in before:
                parameters[name].data = change[name].detach().to(before[name].dtype).clone()
            self._set({name: change[name] for name in kept})
            if "training" in change and training is not None:
                self.owner.train(change["training"])
            yield
        finally:
            for name, values in before.items():
                parameters[name].data = values
            self._set(kept)
            if "training" in change and training is not None:
                self.owner.train(training)

    def _set(self, options: Mapping[str, Any]) -> None:
        for name, value in options.items():
            path, _, attribute = name.rpartition(".")
            setattr(self.owner.get_submodule(path), attribute, value)


@dataclass
class Replay:
    """A call, and how both codes are called like it; `got` and `want` are what they give, made comparable."""

    call: Call
    own: Implementation
    reference: Implementation
    names: tuple[str, ...]  # of the arguments by position, as the contract has them
    positional: tuple[Any, ...]
    named: dict[str, Any]
    defaults: dict[str, Any]  # of the contract, for what the call leaves out
    states: dict[int, Tensor] = field(default_factory=dict)  # of generators among the arguments
    sizes: Mapping[str, int] = field(default_factory=dict)  # of the example
    got: Any = None
    want: Any = None
    dtype: torch.dtype = torch.float32  # the default one during the call
    nondeterministic: bool = False  # the code under test draws random numbers, and the reference does not

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by their names."""
        return self.defaults | dict(zip(self.names, self.positional)) | self.named

    @property
    def name(self) -> str:
        """What is called, as a learner reads it."""
        return name_of(self.call)

    def inputs(self) -> dict[str, Any]:
        """The tensors and plain numbers among the arguments and the options."""
        kinds = (Tensor, int, float)
        values = self.reference.options() | self.arguments
        return {name: plain(value) for name, value in values.items() if isinstance(value, kinds)}

    def ask(self, side: Implementation, change: Change | None = None, seed: int = 0) -> Any:
        """What a code gives for this call, with a change."""
        change = change or {}
        positional = [_own(change.get(name, value)) for name, value in zip(self.names, self.positional)]
        named = {name: _own(change.get(name, value)) for name, value in self.named.items()}
        named |= {name: change[name] for name in self.defaults if name in change}
        for value in (*self.positional, *self.named.values()):
            if isinstance(value, torch.Generator):
                value.set_state(self.states[id(value)])
        if any(isinstance(value, MUTABLE) for value in (*positional, *named.values())):
            positional, named = copy.deepcopy((positional, named))
        owner = () if side.owner is None else (side.owner,)
        with torch.random.fork_rng(devices=[]), default_dtype(self.dtype), side.changed(change):
            torch.manual_seed(seed)
            return plain(side.function(*owner, *positional, **named))

    def lost(self) -> bool:
        """Whether the answer is not finite where it should be."""
        pairs = zip(*(each if isinstance(each, tuple) else (each,) for each in (self.got, self.want)))
        return any(
            isinstance(g, Tensor) and isinstance(w, Tensor) and g.isnan().any() > w.isnan().any() for g, w in pairs
        )

    def random(self) -> bool:
        """Whether the reference draws random numbers that no argument fixes."""
        return not alike(self.ask(self.reference, seed=1), self.ask(self.reference, seed=2))


def name_of(call: Call) -> str:
    """What is called, as a learner reads it."""
    owner, _, method = call.name.rpartition(".")
    return owner if method in ("forward", "__init__") else method


@dataclass(frozen=True)
class Failure:
    """A wrong answer beside the expected one, of one shape, with what it was made from and the sizes of its example."""

    got: Tensor
    want: Tensor
    sizes: Mapping[str, int]
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, float]:
        """What a factor may be a formula of: the sizes, and the plain numbers among the inputs."""
        plain = {n: v for n, v in self.inputs.items() if type(v) in (int, float) and math.isfinite(v) and v > 0}
        return {name: value for name, value in plain.items() if value not in self.sizes.values()} | dict(self.sizes)

    @property
    def wrong(self) -> Tensor:
        """Which entries differ."""
        finite = self.want[self.want.isfinite()].double().abs()
        bound = 3e-5 * float(finite.max()) if finite.numel() else 0.0
        got, want = self.got.double(), self.want.double()
        return ~((got == want) | ((got - want).abs() <= max(bound, 1e-9)) | (got.isnan() & want.isnan()))

    def axis(self, axis: int) -> str:
        """A dimension by the name of the size that it has, where only one size has it."""
        names = [name for name, size in self.sizes.items() if size == self.want.shape[axis]]
        if len(names) == 1:
            return names[0]
        return "the last dimension" if axis == self.want.ndim - 1 else f"dimension {axis}"


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Have numbers made in this dtype meanwhile."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def replays_of(
    calls: Sequence[Call], reference: Any, sizes: Mapping[str, int], dtype: torch.dtype = torch.float32
) -> Iterator[Replay]:
    """The calls of a log that both codes can answer again, the code under test as it did."""
    for call in calls:
        if call.name.endswith("__init__"):
            continue
        replay = None
        with contextlib.suppress(Exception), default_dtype(dtype):
            replay = _replay(call, calls, reference)
            if replay is not None:
                replay.sizes, replay.dtype = sizes, dtype
                replay = replay if _answers_again(replay) else None
        if replay is not None:
            yield replay


def _answers_again(replay: Replay) -> bool:
    """Whether both codes answer again as they did; fills in what they answer."""
    replay.got, replay.want = replay.ask(replay.own), replay.ask(replay.reference)
    if not alike(replay.want, replay.ask(replay.reference)):
        return False
    if not alike(replay.got, plain(replay.call.result)):
        replay.nondeterministic = not replay.random() and not alike(replay.got, replay.ask(replay.own, seed=1))
        return replay.nondeterministic
    return True


def _replay(call: Call, calls: Sequence[Call], reference: Any) -> Replay | None:
    owner, _, method = call.name.rpartition(".")
    positional = call.positional
    if not owner:
        function = getattr(reference, method, None)
        if function is None:
            return None
        own, theirs = Implementation(call.function), Implementation(function)
    else:
        model, positional = positional[0], positional[1:]
        like = None if isinstance(model, torch.optim.Optimizer) else _like(model, owner, call, calls, reference)
        if like is None:
            return None
        own = Implementation(call.function, copy.deepcopy(model) if isinstance(model, nn.Module) else model)
        theirs = Implementation(getattr(type(like), method), like)
    parameters = dict(list(inspect.signature(theirs.function).parameters.items())[1 if owner else 0 :])
    names = tuple(parameters)
    if len(names) < len(positional):
        return None
    given = {*names[: len(positional)], *call.named}
    empty = inspect.Parameter.empty
    defaults = {n: p.default for n, p in parameters.items() if n not in given and p.default is not empty}
    values = tuple(map(_own, positional))
    keywords = {name: _own(value) for name, value in call.named.items()}
    states = {id(v): v.get_state() for v in (*values, *keywords.values()) if isinstance(v, torch.Generator)}
    return Replay(call, own, theirs, names, values, keywords, defaults, states)


def _like(model: Any, owner: str, call: Call, calls: Sequence[Call], reference: Any) -> Any:
    """The reference's object made as one of the code under test was, with the same parameters; none if it differs."""
    made = made_with(model, owner, call, calls)
    if made is None or not hasattr(reference, owner):
        return None
    like = getattr(reference, owner)(*made[0], **made[1])
    if not isinstance(like, nn.Module):
        return like
    theirs = dict(model.named_parameters())
    for path, values in like.named_parameters():
        if path not in theirs or theirs[path].shape != values.shape:
            return None
        values.data = theirs[path].detach().clone()
    return like.train(model.training)


def made_with(
    model: Any, owner: str, call: Call, calls: Sequence[Call]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """What an object was made with."""
    if call.made_with is not None:
        return call.made_with
    for other in calls:
        if other.name == f"{owner}.__init__" and other.positional and other.positional[0] is model:
            return other.positional[1:], other.named
    return None


def _own(value: Any) -> Any:
    """A value of which the called code may do what it likes."""
    if isinstance(value, Tensor) and type(value) is not nn.Parameter:
        return value.detach()
    if isinstance(value, (list, dict)) and not any(isinstance(part, Tensor) for part in value):
        return copy.deepcopy(value)
    return value


def plain(value: Any) -> Any:
    """A result in which numbers are tensors of double precision, and which is kept as it is."""
    if isinstance(value, Tensor):
        return value.detach().double().clone() if value.dtype != torch.bool else value.detach().clone()
    if isinstance(value, (list, tuple)) and any(isinstance(part, (Tensor, list, tuple, dict)) for part in value):
        return tuple(plain(part) for part in value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return list(value) if type(value) is list else value


def alike(left: Any, right: Any) -> bool:
    """Whether two plain results are the same."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return left.shape == right.shape and left.dtype == right.dtype and close(left, right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(alike(left[key], right[key]) for key in left)
    if isinstance(left, float) and isinstance(right, (int, float)):
        return (
            left == right or abs(left - right) <= 1e-5 * max(abs(left), abs(right)) or (left != left and right != right)
        )
    if isinstance(left, (Tensor, tuple)) or isinstance(right, (Tensor, tuple)):
        return False
    return bool(type(left) is type(right) and left == right)


def close(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors of one shape hold the same numbers, within what float32 leaves."""
    if left.dtype == torch.bool or left.shape != right.shape or left.is_meta:
        return left.shape == right.shape and bool(left.is_meta or torch.equal(left, right))
    finite = right[right.isfinite()].abs()
    bound = 3e-5 * float(finite.max()) if finite.numel() else 0.0
    return torch.allclose(left, right, rtol=0, atol=max(bound, 1e-9), equal_nan=True)
