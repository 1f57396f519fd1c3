"""What a submission is asked while it runs: which attribute it reads, what it changes, which classes it makes.

A guard that refuses ends the process, after its reason was sent: an exception could be caught.
"""

from __future__ import annotations

import builtins
import io
import os
import re
import sys
import tempfile
from types import BuiltinFunctionType, FunctionType, GenericAlias, ModuleType
from typing import Any

import numpy
from torch import Tensor, nn

from ..spec.bans import Unusable
from .allowed import ABSENT, MODULES, SHADOWS
from .policy import FORMATS, GET, WRITE, compiled, is_dunder, why_not
from .views import OWN, Array, Refuse, View, Views, owned

# Bans, and what keeps the reference from submissions, tell by the name of the calling module whose call it is: what a
# guard looks up it looks up for a submission.
__name__ = f"{OWN}guards"
VALUES = (int, float, complex, str, bytes, bytearray, list, dict, set, frozenset, tuple)
NAMED_TUPLE = ("_replace", "_asdict", "_fields", "_make", "_field_defaults")
REGISTERED = ("_modules", "_parameters", "_buffers")  # of a module of torch
PART = re.compile(r"[.\[]\s*(\w+)")  # of a field of a text to be formatted, what it reads
MISSING = object()


class Guards:
    """The builtins of a submission, and what its text was made to call."""

    def __init__(self, refuse: Refuse, closed: frozenset[str] = frozenset()):
        """`refuse` ends the process; `closed` are packages that the kata does without."""
        self.refuse, self.closed = refuse, closed
        self.views = Views(refuse)
        self.builtins = self._builtins()

    def run(self, source: str, filename: str, module: ModuleType) -> None:
        """Run a submission's text as a module's. Raises LoadError, Refused, and what the text raises."""
        code = compiled(source, filename, self.closed)
        module.__dict__["__builtins__"] = self.builtins
        exec(code, module.__dict__)

    def _builtins(self) -> dict[str, Any]:
        names = {name: value for name, value in vars(builtins).items() if not name.startswith("_") or is_dunder(name)}
        for name, why in ABSENT.items():
            names[name] = self._absent(name, why)
        names |= {GET: self.get, WRITE: self.write, "getattr": self.get, "setattr": self.set, "delattr": self.delete}
        names |= {"hasattr": self.has, "vars": self.vars, "type": self._type(), "open": self.open}
        for name in ("__loader__", "__spec__", "__package__", "__name__", "_", "license", "credits", "copyright"):
            names.pop(name, None)
        return names | {"__import__": self.load, "__build_class__": self.build}

    def _absent(self, name: str, why: str) -> Any:
        return lambda *_, **__: self.refuse(f"`{name}` {why}")

    def get(self, value: Any, name: str, *default: Any) -> Any:
        """An attribute, where a submission may read it."""
        if type(name) is not str:
            raise TypeError("attribute name must be string")
        if why := why_not(name):
            self.refuse(why)
        if name in self.closed and isinstance(value, (Tensor, type)):
            self.refuse(f"`{name}`, whose arrays have a way to all memory; this kata is for torch")
        if name in FORMATS and isinstance(value, (str, type)):
            self._harmless(value, name)
        if name.startswith("_") and not is_dunder(name) and not self._may_look(value, name):
            self.refuse(f"`{name}` is private to what is not the submission's")
        got = getattr(value, name, *default)
        if isinstance(got, ModuleType) and not isinstance(got, (View, Unusable)):
            self.refuse(f"`{name}` is a module that it may not use")
        return got

    def _may_look(self, value: Any, name: str) -> bool:
        if owned(value) or (isinstance(value, nn.Module) and name in REGISTERED):
            return True
        return isinstance(value, tuple) and name in NAMED_TUPLE or isinstance(value, type) and name in NAMED_TUPLE

    def _harmless(self, text: Any, name: str) -> None:
        """A text to be formatted must not read attributes that the submission may not."""
        names = PART.findall(text) if isinstance(text, str) else ["__"]
        if any(part.startswith("_") or why_not(part) for part in names):
            self.refuse(f"`{name}` of a text that reads attributes")

    def has(self, value: Any, name: str) -> bool:
        """Whether there is an attribute."""
        return self.get(value, name, MISSING) is not MISSING

    def write(self, value: Any, name: str) -> Any:
        """What an attribute is set of, where a submission may set it."""
        if type(name) is not str:
            raise TypeError("attribute name must be string")
        kind = type(value)
        if why_not(name) or is_dunder(name) and name not in ("__name__", "__doc__", "__qualname__"):
            self.refuse(f"it sets `{name}`")
        if isinstance(value, ModuleType):
            self.refuse(f"it changes the module {value.__name__}: sets `{name}`")
        if isinstance(value, (type, FunctionType, BuiltinFunctionType)) and not owned(value):
            self.refuse(f"it changes {getattr(value, '__qualname__', value)}, which is not its own: sets `{name}`")
        if isinstance(value, Tensor) or not owned(value) and isinstance(value, nn.Module):
            there = getattr(kind, name, None)
            if callable(there) and not hasattr(there, "__set__"):
                self.refuse(f"it puts something else in the place of `{name}` of a {kind.__name__}")
        if kind.__module__.split(".")[0] in ("dojo", "hypothesis", "pytest") or kind.__module__.startswith(
            "_dojo_tests"
        ):
            self.refuse(f"it changes the judge: sets `{name}`")
        return value

    def set(self, value: Any, name: str, new: Any) -> None:
        """Set an attribute."""
        setattr(self.write(value, name), name, new)

    def delete(self, value: Any, name: str) -> None:
        """Delete an attribute."""
        delattr(self.write(value, name), name)

    def vars(self, *values: Any) -> Any:
        """The attributes of an object of the submission's own."""
        if len(values) != 1 or not owned(values[0]) or isinstance(values[0], (type, FunctionType)):
            self.refuse("`vars` of what is not an object of its own")
        return dict(vars(values[0]))

    def open(self, file: Any, *arguments: Any, **named: Any) -> Any:
        """Open a file in the folder of temporary files, which is a submission's own."""
        if isinstance(file, int):
            self.refuse("it opens a file by its number")
        name = os.fsdecode(os.fspath(file))
        folder = os.path.realpath(tempfile.gettempdir())
        if not os.path.realpath(name).startswith(folder + os.sep) and name != os.devnull:
            self.refuse(f"it opens {name[:100]}, which is not in its folder")
        return open(name, *arguments, **named)

    def _type(self) -> type:
        """`type`, which says of what class an object is and neither gives nor makes a class of classes."""
        refuse = self.refuse

        class Kind(type):
            def __call__(cls, *values: Any, **named: Any) -> Any:
                if len(values) != 1 or named or isinstance(values[0], type):
                    refuse("`type` makes a class, or asks for the class of one")
                if isinstance(values[0], io.IOBase):
                    refuse("`type` of a file, which opens others by their number")
                return Array if isinstance(values[0], numpy.ndarray) else type(values[0])

            def __instancecheck__(cls, value: Any) -> bool:
                return isinstance(value, type)

            def __subclasscheck__(cls, kind: Any) -> bool:
                return issubclass(kind, type)

            def __getitem__(cls, item: Any) -> Any:
                return GenericAlias(cls, item)

        return Kind("type", (), {"__module__": "builtins"})

    def build(self, function: Any, name: str, *bases: Any, metaclass: Any = None, **named: Any) -> Any:
        """Make a class of a class statement."""
        if metaclass is not None:
            self.refuse(f"the class {name} has a metaclass")
        for base in bases:
            kind = base if isinstance(base, type) else type(base)
            if isinstance(kind, type) and issubclass(kind, (Tensor, ModuleType, type)) or kind is self.builtins["type"]:
                self.refuse(f"the class {name} is derived from {kind.__name__}, and could pass for one")
        made = builtins.__build_class__(function, name, *bases, **named)
        if isinstance(made, type):
            self._honest(made)
        return made

    def _honest(self, made: type) -> None:
        """A class that passes for a number, a text or a list must behave as one."""
        values = [base for base in VALUES if issubclass(made, base)]
        shadows = {name for name in vars(made) for base in values if hasattr(base, name)} - SHADOWS
        if shadows:
            self.refuse(f"the class {made.__name__} is a {values[0].__name__} with another `{min(shadows)}`")
        if (answer := vars(made).get("__getattr__")) is not None:  # it answers for no name that others ask for
            made.__getattr__ = lambda self, name: _ordinary(self, name) and answer(self, name)  # type: ignore[attr-defined]

    def load(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        """Import what a submission may."""
        if type(fromlist) is list:  # what C imports for itself comes by here; a statement gives a tuple, or None
            return __import__(name, globals, locals, fromlist, level)
        if level or name.startswith(OWN):
            top = __import__(name, globals, locals, fromlist, level)
            real = sys.modules.get(name if not level else f"{OWN}{name}", top)
            return self.views.of_kata(real) if fromlist else self._no_package(name)
        if name not in MODULES:
            self.refuse(f"importing `{name}`")
        there = __import__(name, globals, locals, fromlist, level)
        if isinstance(sys.modules.get(name), Unusable) or isinstance(there, Unusable):  # banned at present
            return there
        view = self.views.of(name)
        return view if fromlist else self.views.of(name.split(".")[0])

    def _no_package(self, name: str) -> Any:
        return self.refuse(f"importing `{name}` without saying which names of it: from … import …")


def _ordinary(value: object, name: str) -> bool:
    """True; raises AttributeError for a name that Python, numpy or torch look up to learn what a value is."""
    if is_dunder(name):
        raise AttributeError(f"{type(value).__name__!r} object has no attribute {name!r}")
    return True
