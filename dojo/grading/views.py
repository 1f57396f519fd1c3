"""The modules that a submission has, as views: names without what leads to other modules, and a few made safe."""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import operator
import os
import stat
import sys
import types
from collections.abc import Callable, Mapping
from types import FrameType, FunctionType, ModuleType
from typing import Any

import numpy

from .allowed import ALL, DENIED, MODULES
from .policy import FORMATS, is_dunder, why_not

OWN = "katas."  # what the modules of submissions are called, and those that stand in for earlier katas
PLAIN = (int, float, complex, str, bytes, bool, tuple, frozenset, type(None))
Refuse = Callable[[str], Any]  # ends the process, saying why


class View(ModuleType):
    """Some names of a module. Nothing leads from here to the module itself."""

    def __getattr__(self, name: str) -> Any:
        there = hasattr(sys.modules.get(self.__name__), name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}{' in grading' if there else ''}")


def owned(value: Any) -> bool:
    """Whether a class, a function or an object is a submission's own, or of a kata that it builds on."""
    kind = value if isinstance(value, (type, FunctionType)) else type(value)
    return str(getattr(kind, "__module__", "")).startswith(OWN)


class Views:
    """All views, made when they are first asked for."""

    def __init__(self, refuse: Refuse):
        self.refuse = refuse
        self._made: dict[str, View] = {}
        self._safe: Mapping[str, Mapping[str, Any]] = {
            "functools": {"wraps": self._wraps, "update_wrapper": self._update_wrapper},
            "dataclasses": {"dataclass": self._dataclass},
            "operator": {"attrgetter": self._attrgetter, "methodcaller": self._methodcaller},
            "os": {"fdopen": self._fdopen},
            "types": {"SimpleNamespace": _namespace(refuse)},
            "enum": _enums(refuse),
            "torch": {"load": self._load, "save": self._save, "from_file": self._from_file},
            "numpy": {"ndarray": Array},
            "torch.nn.modules.module": {"register_module_forward_hook": self._global_hook},
            "jaxtyping": dict.fromkeys(MODULES["jaxtyping"], Annotation()),
        }

    def of(self, name: str) -> View:
        """The view of an allowed module, and with it those of the packages that it is in. Raises ImportError."""
        if name not in self._made:
            real = importlib.import_module(name)
            view = self._made[name] = View(name)
            vars(view).update(self._names(name, real))
            package, _, part = name.rpartition(".")
            if package:
                setattr(self.of(package), part, view)
            for child in MODULES:  # those that come along, as torch.nn does with torch
                if child.rpartition(".")[0] == name and isinstance(
                    getattr(real, child.rpartition(".")[2], None), ModuleType
                ):
                    self.of(child)
        return self._made[name]

    def of_kata(self, real: ModuleType) -> View:
        """The view of the kata that a submission builds on: what that defines itself."""
        if real.__name__ not in self._made or vars(self._made[real.__name__]).get("real") is not real:
            view = self._made[real.__name__] = View(real.__name__)
            own = {name: value for name, value in vars(real).items() if not name.startswith("_")}
            vars(view).update({n: v for n, v in own.items() if owned(v) or type(v) in PLAIN})
        return self._made[real.__name__]

    def _names(self, name: str, real: ModuleType) -> dict[str, Any]:
        wanted = MODULES[name]
        denied = DENIED.get(name, ALL)
        names: dict[str, Any] = {}
        for each in wanted or dir(real):
            if each.startswith("_") or each in denied:
                continue
            value = getattr(real, each, None)
            if not isinstance(value, ModuleType) and (wanted or _defined_by(name, value)):
                names[each] = value
        return names | dict(self._safe.get(name, {}))

    def _owned(self, value: Any) -> Any:
        return value if owned(value) else self.refuse("it changes a class or a function that is not its own")

    def _wraps(self, wrapped: Any, *_: Any, **__: Any) -> Callable[[Any], Any]:
        return lambda wrapper: functools.update_wrapper(self._owned(wrapper), wrapped)

    def _update_wrapper(self, wrapper: Any, wrapped: Any, *_: Any, **__: Any) -> Any:
        return functools.update_wrapper(self._owned(wrapper), wrapped)

    def _dataclass(self, cls: Any = None, /, **options: Any) -> Any:
        if cls is None:
            return lambda cls: dataclasses.dataclass(**options)(self._owned(cls))
        return dataclasses.dataclass(self._owned(cls))

    def _attrgetter(self, *names: str) -> Any:
        for part in (part for name in names for part in str.split(name, ".")):
            self._plain(part)
        return operator.attrgetter(*names)

    def _methodcaller(self, name: str, /, *arguments: Any, **named: Any) -> Any:
        self._plain(name)
        return operator.methodcaller(name, *arguments, **named)

    def _plain(self, name: str) -> None:
        if type(name) is not str or name.startswith("_") or name in FORMATS or why_not(name):
            self.refuse(f"it looks up `{name}` by its name")

    def _fdopen(self, fd: int, *arguments: Any, **named: Any) -> Any:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            self.refuse(f"it opens the file number {fd}, which is not of its making")
        return os.fdopen(fd, *arguments, **named)

    def _global_hook(self, hook: Callable[..., Any], **options: Any) -> Any:
        from torch.nn.modules.module import register_module_forward_hook

        def own(*arguments: Any) -> Any:  # what others compute meanwhile is not for a submission to see
            return hook(*arguments) if _is_own_call(sys._getframe(1)) else None

        return register_module_forward_hook(own, **options)

    def _load(self, f: Any, map_location: Any = None, *, weights_only: bool = True, mmap: Any = None) -> Any:
        import torch

        if weights_only is not True:
            self.refuse("it unpickles what may be any code: torch.load does without with weights_only=True")
        return torch.load(f, map_location=map_location, weights_only=True, mmap=mmap)

    def _save(self, obj: Any, f: Any, *, _use_new_zipfile_serialization: bool = True) -> None:
        import torch

        torch.save(obj, f, _use_new_zipfile_serialization=_use_new_zipfile_serialization)

    def _from_file(self, filename: Any, shared: Any = None, size: Any = 0, **options: Any) -> Any:
        import torch

        with open(filename, "rb"):  # torch opens it where nobody looks on; this one is seen
            return torch.from_file(filename, shared, size, **options)


def _namespace(refuse: Refuse) -> type:
    class SimpleNamespace(types.SimpleNamespace):
        def __init__(self, /, **values: Any):
            if any(is_dunder(name) for name in values):
                refuse("a namespace with names that Python looks up")
            super().__init__(**values)

    return SimpleNamespace


def _enums(refuse: Refuse) -> dict[str, type]:
    """The classes of `enum`, which make other classes by a class statement only: then their names are seen."""

    class Meta(enum.EnumMeta):
        def __call__(cls, value: Any, *names: Any, **named: Any) -> Any:
            if names or named:
                refuse("an enumeration that is no class statement")
            return super().__call__(value)

    return {kind.__name__: Meta(kind.__name__, (kind,), Meta.__prepare__(kind.__name__, (kind,))) for kind in ENUMS}


ENUMS: tuple[type, ...] = (enum.Enum, enum.IntEnum, enum.Flag)


class _IsArray(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, numpy.ndarray)


class Array(metaclass=_IsArray):
    """Stands for `numpy.ndarray`, whose constructor takes any memory for objects."""

    def __new__(cls, *arguments: Any, **named: Any) -> Array:
        raise TypeError("cannot create an array this way: numpy.empty and numpy.frombuffer do")


class Annotation:
    """Stands for the types of jaxtyping, which run what is written in them when they are asked."""

    def __getitem__(self, item: Any) -> Any:
        return item[0] if isinstance(item, tuple) else item


def _defined_by(name: str, value: Any) -> bool:
    """Whether a value is of a module's own making: what it has imported from elsewhere leads elsewhere."""
    if isinstance(value, type) and issubclass(value, type):
        return False
    home = getattr(value, "__module__", None)
    if not isinstance(home, str):
        return not isinstance(value, Mapping)
    root = home.split(".")[0].lstrip("_")
    own = name.split(".")[0]
    return root == own or root in ALIASES.get(own, ()) or (isinstance(value, PLAIN) and type(value) in PLAIN)


# Where modules have their parts from.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "os": ("posix", "posixpath", "genericpath", "ntpath", "nt"),
    "collections": ("collections",),
    "decimal": ("decimal", "pydecimal"),
    "regex": ("regex",),
    "re": ("re", "sre_compile"),
    "json": ("json",),
    "io": ("io", "pyio"),
    "hashlib": ("hashlib", "blake2", "sha1", "sha2", "sha3", "md5", "sha256", "sha512"),
    "base64": ("binascii",),
    "numpy": ("numpy",),
}


def _is_own_call(frame: FrameType | None) -> bool:
    """Whether a submission's function is among those that are being called."""
    while frame is not None and not str(frame.f_globals.get("__name__", "")).startswith(OWN):
        frame = frame.f_back
    return frame is not None
