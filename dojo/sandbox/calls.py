"""How a law's calls reach the code under test: under the conditions of the example, and remembered.

Only calls from outside pass here: what the code's own functions do with each other is their business.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..spec.conditions import Conditions
from ..spec.errors import Stop
from ..spec.torch_internals import unseen
from .arguments import check_unchanged, snapshot

Make = Callable[[Callable[..., Any], str, tuple[Any, ...], dict[str, Any]], Any]  # of a function, by its name
PLAIN = (int, float, bool, str, bytes, type(None), torch.dtype, torch.device, torch.Generator)
# What torch copies itself, where a module is copied.
REGISTERED = ("_parameters", "_buffers", "_non_persistent_buffers_set", "_modules")
EVERYWHERE = vars(nn.Module()).keys()
HOOKS = [name for name, value in vars(nn.Module()).items() if isinstance(value, dict) and name not in REGISTERED]


@dataclass
class Calls:
    """What is done at each call from outside, for as long as a module lives."""

    contract: ModuleType | None = None  # the reference, whose signatures say in which order arguments come
    conditions: Conditions = field(default_factory=Conditions)
    inside: bool = False
    called: list[tuple[str, Any]] = field(default_factory=list)  # functions, and objects that methods are of
    orders: dict[str, list[str]] = field(default_factory=dict)  # of parameters, by the function's name

    def __post_init__(self) -> None:
        self.make: Make = self._call

    @contextmanager
    def made_by(self, hook: Callable[..., Any]) -> Iterator[None]:
        """Have each call made by `hook` meanwhile, which is handed how to make it and the call as a law has it."""
        before = self.make
        self.make = functools.partial(hook, before)
        try:
            yield
        finally:
            self.make = before

    @contextmanager
    def under(self, conditions: Conditions) -> Iterator[None]:
        """Have calls made under these conditions meanwhile."""
        before, self.conditions = self.conditions, conditions
        self.called = []
        try:
            yield
        finally:
            self.conditions = before

    def watch(self, module: ModuleType) -> None:
        """Have every function and method that a module defines called by way of this."""
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if isinstance(value, FunctionType):
                setattr(module, name, self._watched(value, name))
            elif inspect.isclass(value):
                for method, function in list(vars(value).items()):
                    if isinstance(function, FunctionType) and (method == "__init__" or not method.startswith("__")):
                        setattr(value, method, self._watched(function, f"{name}.{method}"))

    def _watched(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*positional: Any, **named: Any) -> Any:
            if self.inside:
                return function(*positional, **named)
            self.inside = True
            try:
                return self.make(function, name, positional, named)
            finally:
                self.inside = False

        return call

    def _call(self, function: Callable[..., Any], name: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        conditions = self.conditions
        positional, named = self._arranged(function, name, positional, named)
        with unseen():
            if conditions.layout != "contiguous":
                positional = tuple(laid_out(value, conditions.layout) for value in positional)
                named = {key: laid_out(value, conditions.layout) for key, value in named.items()}
            before = [snapshot(value) for value in (*positional, *named.values())]
        if conditions.earlier != "nothing" and self._first(name, positional):
            _call_with_others(function, positional, named)
        made = positional[0] if name.endswith(".__init__") and isinstance(positional[0], nn.Module) else None
        recorded = conditions.gradients == "recorded" or made is not None or _gradient_wanted(positional, named)
        with contextlib.nullcontext() if recorded else torch.no_grad():
            result = function(*positional, **named)
        with unseen():
            check_unchanged(function, name, positional, named, before)
        if made is not None:
            _as_used(made, [*positional[1:], *named.values()], conditions)
        return _with_gradients_laid_out(result, conditions)

    def _first(self, name: str, positional: tuple[Any, ...]) -> bool:
        """Whether a function, or a method of this very object, has not been called yet under these conditions: what it
        keeps, it keeps of its first calls."""
        owner = positional[0] if "." in name and positional else None
        if any(name == other and owner is its for other, its in self.called):
            return False
        self.called.append((name, owner))
        return True

    def _arranged(
        self, function: Callable[..., Any], name: str, positional: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments by position as far as that goes, or by keyword, in the order of the contract."""
        how = self.conditions.arguments
        if not how:
            return positional, named
        if name not in self.orders:
            self.orders[name] = self._order(name)
        order = self.orders[name]
        if not order or len(positional) > len(order):
            return positional, named
        method = "." in name
        if how == "by position":
            for key in order[len(positional) :]:
                if key not in named:
                    break
                positional, named = (*positional, named[key]), {k: v for k, v in named.items() if k != key}
        elif set(order) <= _parameters(function):  # who renames them is not called by name
            kept = 1 if method else 0
            named = dict(zip(order[kept:], positional[kept:])) | named
            positional = positional[:kept]
        return positional, named

    def _order(self, name: str) -> list[str]:
        """The names of the parameters of a function of the contract, in order; none where it is not of the contract."""
        value: Any = self.contract
        for part in name.split("."):
            value = getattr(value, part, None)
        if not inspect.isfunction(value):
            return []
        parameters = inspect.signature(value).parameters.values()
        plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [parameter.name for parameter in parameters if parameter.kind in plain]


@functools.lru_cache(maxsize=256)
def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def laid_out(value: Any, layout: str) -> Any:
    """The same tensor in another layout in memory; what is no tensor of several dimensions stays itself."""
    if type(value) is not Tensor or value.ndim == 0 or value.is_meta or value.is_sparse or not value.numel():
        return value
    if layout == "transposed" and value.ndim > 1:
        return value.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "permuted" and value.ndim > 2:  # as heads lie that were split off from channels
        outer = (1, 2) if value.ndim > 3 else (0, 1)
        return value.transpose(*outer).contiguous().transpose(*outer)
    if layout == "cut" and len(value) > 1 and not value.requires_grad:  # each row has a gradient of its own
        rows = value[:1].expand_as(value)
        if torch.equal(rows, value):
            return rows
    if layout == "cut":
        return torch.stack([value, value], dim=-1)[..., 0]  # every second entry of a larger one
    return value


def _gradient_wanted(positional: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Whether a law asks for the gradient of an argument."""
    return any(type(value) is Tensor and value.requires_grad for value in (*positional, *named.values()))


def _as_used(module: nn.Module, handed_over: list[Any], conditions: Conditions) -> None:
    """Have a module that was just made used as the conditions say."""
    if conditions.modules == "copied":
        with contextlib.suppress(Exception):  # a generator, an open file: no contract says that it can be copied
            _become_a_copy(module, handed_over)
    if conditions.mode == "eval":
        module.eval()


def _become_a_copy(module: nn.Module, handed_over: list[Any]) -> None:
    """Put copies in the place of all that a module holds, but of what it was made with: that belongs to the caller.

    A copy of parameters, buffers, parts and plain values alone is like the module, and takes twice as long to make.
    """
    memo: dict[int, Any] = {id(value): value for value in handed_over}
    for model in (value for value in handed_over if isinstance(value, nn.Module)):
        for part in model.modules():
            memo |= {id(own): own for own in (part, *part._parameters.values(), *part._buffers.values())}
    if any(_holds_more(part, memo) for part in module.modules() if id(part) not in memo):
        memo[id(module)] = module
        vars(module).update(copy.deepcopy(vars(module), memo))


def _holds_more(part: nn.Module, known: Container[int]) -> bool:
    own = vars(part)
    if any(map(own.get, HOOKS)):
        return True
    for name in own.keys() - EVERYWHERE:
        value = own[name]
        kind = type(value)
        if kind in PLAIN or id(value) in known or (kind is dict and not value):
            continue
        if kind is not tuple or any(type(entry) not in PLAIN for entry in value):
            return True
    return False


def _with_gradients_laid_out(result: Any, conditions: Conditions) -> Any:
    """Have the gradient of each tensor of a result arrive in a layout."""
    for tensor in result if isinstance(result, (tuple, list)) else [result]:
        if type(tensor) is not Tensor or not tensor.requires_grad or tensor.is_leaf:
            continue
        if (layout := conditions.arriving) != "contiguous":
            tensor.register_hook(lambda gradient, layout=layout: laid_out(gradient, layout))  # type: ignore[misc]
    return result


def _call_with_others(function: Callable[..., Any], positional: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Call a function with other values of the same shapes, and with other shapes, and forget what comes of it."""
    owner = positional[:1] if positional and isinstance(positional[0], nn.Module) else ()
    if function.__name__ == "__init__":
        return
    arguments = [*positional[len(owner) :], *named.values()]
    if not all(isinstance(value, (Tensor, *PLAIN)) and type(value) is not nn.Parameter for value in arguments):
        return  # a model, an optimizer, a path: what is called may be meant to change it
    if not any(isinstance(value, Tensor) for value in arguments):
        return
    with unseen():
        others = [[change(value) for value in arguments] for change in (_other_values, _shorter)]
    generators = [value for value in arguments if isinstance(value, torch.Generator)]
    states = [generator.get_state() for generator in (torch.default_generator, *generators)]
    count = len(positional) - len(owner)
    with torch.no_grad():
        for values in others:
            with _errors_ignored():
                function(*owner, *values[:count], **dict(zip(named, values[count:])))
    for generator, state in zip((torch.default_generator, *generators), states):
        generator.set_state(state)


@contextmanager
def _errors_ignored() -> Iterator[None]:
    """Let errors of the code under test pass, also those that are no Exception; what ends a check does."""
    try:
        yield
    except (Stop, KeyboardInterrupt):
        raise
    except BaseException:
        pass


def _other_values(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.detach().flip(0) + 1 if value.is_floating_point() and value.ndim else value.detach().clone()


def _shorter(value: Any) -> Any:
    return value.detach()[:-1].clone() if isinstance(value, Tensor) and value.ndim else value
