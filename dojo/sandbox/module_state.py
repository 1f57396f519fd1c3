"""What a module keeps between calls, so that no verdict depends on what was called before.

Looked at are the usual places: global names, containers, caches, attributes of functions and classes, defaults, what
closures hold, tensors changed in place, generators of random numbers. Code that keeps something elsewhere is judged
with what it has kept.
"""

from __future__ import annotations

import builtins
import functools
import operator
import random
from collections import deque
from collections.abc import Callable, Iterable
from types import CellType, FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

LARGE = 256  # of a longer container only the length is looked at
CONTAINERS = (list, tuple, set, frozenset, deque)
CACHED = type(functools.lru_cache(len))

Look = Callable[[], Iterable[Any]]


class ModuleState:
    """What some modules kept when this was made."""

    def __init__(self, modules: Iterable[ModuleType]):
        self._objects: list[tuple[Look, list[Any]]] = []  # where objects are kept, and which; they live on with this
        self._numbers: list[tuple[Look, list[Any]]] = []  # likewise of what is compared by value
        self._seen = {id(vars(builtins))}  # every module holds them
        modules = list(modules)
        self._names = {module.__name__ for module in modules}
        for module in modules:
            self._add(vars(module))

    @property
    def changed(self) -> bool:
        """Whether they keep something else by now."""
        for look, before in self._objects:
            now = list(look())
            if len(now) != len(before) or not all(map(operator.is_, now, before)):
                return True
        return any(list(look()) != before for look, before in self._numbers)

    def _add(self, value: Any) -> None:
        """Look at a value from now on, and at all that it holds."""
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, Tensor):
            if value.layout == torch.strided and not value.is_inference():
                self._look_at_numbers(lambda: [value._version, value.data_ptr()])
        elif isinstance(value, (torch.Generator, random.Random)):
            self._look_at_numbers(lambda: [_randomness(value)])
        elif isinstance(value, CACHED):
            self._look_at_numbers(lambda: [value.cache_info().currsize])
        elif isinstance(value, (dict, *CONTAINERS)):
            self._add_container(value)
        elif isinstance(value, FunctionType):
            if value.__module__ in self._names:
                self._add_function(value)
        elif isinstance(value, type):
            if value.__module__ in self._names:
                self._look_at(lambda: vars(value).values())
        elif isinstance(value, (classmethod, staticmethod)):
            self._add(value.__func__)
        elif isinstance(value, nn.Module) or type(value).__module__ in self._names:
            self._add(getattr(value, "__dict__", None))

    def _add_container(self, value: Any) -> None:
        if len(value) > LARGE:
            self._look_at_numbers(lambda: [len(value)])
        else:
            self._look_at(value.values if isinstance(value, dict) else lambda: value)

    def _add_function(self, function: FunctionType) -> None:
        self._look_at(lambda: vars(function).values())
        self._add(function.__defaults__)
        self._add(function.__kwdefaults__)
        for cell in function.__closure__ or ():
            if cell != CellType():
                self._look_at(lambda cell=cell: [cell.cell_contents])  # type: ignore[misc]

    def _look_at(self, look: Look) -> None:
        before = list(look())
        self._objects.append((look, before))
        for value in before:
            self._add(value)

    def _look_at_numbers(self, look: Look) -> None:
        self._numbers.append((look, list(look())))


def _randomness(generator: torch.Generator | random.Random) -> Any:
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state().tolist()
