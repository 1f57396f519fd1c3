"""Calls of the code under test that can be made again with something changed, each beside the reference's like call."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..sandbox.calls import Call

Change = Mapping[str, Any]  # values of arguments and of parameters, by name, in place of those of the call


@dataclass
class Side:
    """One of the two codes: what it calls, on which object, and the tensors of a module that may be changed."""

    function: Callable[..., Any]
    owner: Any = None
    made: tuple[type, tuple[Any, ...], dict[str, Any]] | None = None  # an optimizer is made anew for each call

    def parameters(self) -> dict[str, Tensor]:
        """The parameters of the module whose method is called."""
        return dict(self.owner.named_parameters()) if isinstance(self.owner, nn.Module) else {}

    @contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """Have other values in parameters meanwhile."""
        parameters = self.parameters()
        before = {name: parameters[name].data for name in change if name in parameters}
        try:
            for name in before:
                parameters[name].data = change[name].detach().to(before[name].dtype).clone()
            yield
        finally:
            for name, values in before.items():
                parameters[name].data = values


@dataclass
class Twins:
    """A call, and how both codes are called like it; `got` and `want` are what they give, made comparable."""

    call: Call
    own: Side
    reference: Side
    names: tuple[str, ...]  # of the arguments by position, as the contract has them
    positional: tuple[Any, ...]
    named: dict[str, Any]
    states: dict[int, Tensor] = field(default_factory=dict)  # of generators among the arguments
    sizes: Mapping[str, int] = field(default_factory=dict)  # of the example
    got: Any = None
    want: Any = None
    dtype: torch.dtype = torch.float32  # the default one during the call
    effects: list[str] = field(default_factory=list)  # what a call may change, by name; the changes are part of answers
    fickle: bool = False  # the code under test draws random numbers, and the reference does not

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by their names."""
        return dict(zip(self.names, self.positional)) | self.named

    @property
    def name(self) -> str:
        """What is called, as a learner reads it."""
        owner, _, method = self.call.name.rpartition(".")
        return owner if method in ("forward", "__init__") else method

    def ask(self, side: Side, change: Change | None = None, seed: int = 0) -> Any:
        """What a code gives for this call, with a change."""
        change = change or {}
        positional = [_own(change.get(name, value)) for name, value in zip(self.names, self.positional)]
        named = {name: _own(change.get(name, value)) for name, value in self.named.items()}
        for value in (*self.positional, *self.named.values()):
            if isinstance(value, torch.Generator):
                value.set_state(self.states[id(value)])
        owner = () if side.owner is None else (side.owner,)
        with torch.random.fork_rng(devices=[]), default_dtype(self.dtype), side.changed(change):
            torch.manual_seed(seed)
            if not self.changes_things():
                return plain(side.function(*owner, *positional, **named))
            return self._with_effects(side, positional, named)

    def changes_things(self) -> bool:
        """Whether a call may change a model, or the weights that an optimizer holds."""
        return self.own.made is not None or any(isinstance(value, nn.Module) for value in self.arguments.values())

    def _with_effects(self, side: Side, positional: list[Any], named: dict[str, Any]) -> Any:
        """What a call gives, and by how much it changes each weight; of models and optimizers a copy is used."""
        made = side.made[1:] if side.made else ((), {})
        positional, named, made = copy.deepcopy((positional, named, made))
        owner = (side.made[0](*made[0], **made[1]),) if side.made else () if side.owner is None else (side.owner,)
        weights: dict[str, Tensor] = {}
        for value in (*positional, *named.values(), *made[0], *made[1].values()):
            if isinstance(value, nn.Module):
                weights |= dict(value.named_parameters())
            elif isinstance(value, (list, tuple)):
                weights |= {f"parameter {at}": part for at, part in enumerate(value) if isinstance(part, nn.Parameter)}
        before = {name: value.detach().clone() for name, value in weights.items()}
        result = side.function(*owner, *positional, **named)
        self.effects = list(weights)
        changes = (plain(value.detach() - before[name]) for name, value in weights.items())
        return (plain(torch.tensor(result) if isinstance(result, float) else result), *changes)

    def lost(self) -> bool:
        """Whether the answer is not finite where it should be."""
        pairs = zip(*(each if isinstance(each, tuple) else (each,) for each in (self.got, self.want)))
        return any(
            isinstance(g, Tensor) and isinstance(w, Tensor) and g.isnan().any() > w.isnan().any() for g, w in pairs
        )

    def random(self) -> bool:
        """Whether the reference draws random numbers that no argument fixes."""
        return not alike(self.ask(self.reference, seed=1), self.ask(self.reference, seed=2))


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Have numbers made in this dtype meanwhile."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def twins_of(
    calls: Sequence[Call], reference: Any, sizes: Mapping[str, int], dtype: torch.dtype = torch.float32
) -> Iterator[Twins]:
    """The calls of a log that both codes can answer again, the code under test as it did."""
    for call in calls:
        if call.name.endswith("__init__"):
            continue
        twins = None
        with contextlib.suppress(Exception), default_dtype(dtype):
            twins = _twins(call, calls, reference)
            if twins is not None:
                twins.sizes, twins.dtype = sizes, dtype
                twins = twins if _again(twins) else None
        if twins is not None:
            yield twins


def _again(twins: Twins) -> bool:
    """Whether both codes answer again as they did; fills in what they answer."""
    twins.got, twins.want = twins.ask(twins.own), twins.ask(twins.reference)
    if not alike(twins.want, twins.ask(twins.reference)):
        return False
    if twins.changes_things() and any(isinstance(part, Tensor) and part.any() for part in twins.want[1:]):
        return True  # the model has changed since
    given = twins.got[0] if twins.changes_things() else twins.got
    if not alike(given, plain(twins.call.result)) and not isinstance(twins.call.result, float):
        twins.fickle = not twins.random() and not alike(twins.got, twins.ask(twins.own, seed=1))
        return twins.fickle
    return True


def _twins(call: Call, calls: Sequence[Call], reference: Any) -> Twins | None:
    owner, _, method = call.name.rpartition(".")
    positional, named = call.positional, call.named
    if not owner:
        function = getattr(reference, method, None)
        if function is None:
            return None
        own, theirs = Side(call.function), Side(function)
        skipped = 0
    else:
        model, positional = positional[0], positional[1:]
        twin = _like(model, owner, call, calls, reference)
        if twin is None:
            return None
        own, theirs = (
            Side(call.function, copy.deepcopy(model) if isinstance(model, nn.Module) else model),
            Side(getattr(type(twin), method), twin),
        )
        if isinstance(model, torch.optim.Optimizer):
            made = _made(model, owner, call, calls) or ((), {})
            own = Side(call.function, None, (type(model), *made))
            theirs = Side(theirs.function, None, (type(twin), *made))
        skipped = 1
    code = getattr(theirs.function, "__wrapped__", theirs.function).__code__
    names = code.co_varnames[skipped : code.co_argcount]
    if len(names) < len(positional):
        return None
    values = [_own(value) for value in positional]
    keywords = {name: _own(value) for name, value in named.items()}
    states = {id(v): v.get_state() for v in (*values, *keywords.values()) if isinstance(v, torch.Generator)}
    return Twins(call, own, theirs, names, tuple(values), keywords, states)


def _like(model: Any, owner: str, call: Call, calls: Sequence[Call], reference: Any) -> Any:
    """The reference's object made as one of the code under test was, with the same parameters; none if it differs."""
    made = _made(model, owner, call, calls)
    if made is None or not hasattr(reference, owner):
        return None
    twin = getattr(reference, owner)(*made[0], **made[1])
    if not isinstance(twin, nn.Module):
        return twin
    theirs = dict(model.named_parameters())
    for path, values in twin.named_parameters():
        if path not in theirs or theirs[path].shape != values.shape:
            return None
        values.data = theirs[path].detach().clone()
    return twin.train(model.training)


def _made(model: Any, owner: str, call: Call, calls: Sequence[Call]) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
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
    if isinstance(value, torch.Generator):
        return value
    if isinstance(value, (list, dict)) and not any(isinstance(part, Tensor) for part in value):
        return copy.deepcopy(value)
    return value


def plain(value: Any) -> Any:
    """A result in which numbers are tensors of double precision, and which is kept as it is."""
    if isinstance(value, Tensor):
        return value.detach().double().clone() if value.dtype != torch.bool else value.detach().clone()
    if isinstance(value, (list, tuple)) and any(isinstance(part, Tensor) for part in value):
        return tuple(plain(part) for part in value)
    return value


def alike(left: Any, right: Any) -> bool:
    """Whether two plain results are the same."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return left.shape == right.shape and left.dtype == right.dtype and close(left, right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(alike, left, right))
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
