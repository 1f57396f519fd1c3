"""The code under test, as a claim's law sees it."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ..curriculum.catalog import Kata
from ..spec.errors import Missing
from .calls import Calls
from .clean_process import Job, call
from .module_state import ModuleState


@dataclass
class Subject:
    """A module under test, with a plain message for each name that it lacks."""

    module: ModuleType
    filename: str
    source: str
    home: Kata
    solved: frozenset[str] = frozenset()  # slugs of the katas whose file it may build on
    calls: Calls = field(default_factory=Calls)  # how calls from outside reach it
    reload: Callable[[], Subject] | None = None  # loads the same text anew
    kept: ModuleState | None = None  # what the module, and those that it builds on, keep when just loaded
    called: list[str] = field(default_factory=list)  # names of the contract that the running claim has used

    def __getattr__(self, name: str) -> Any:
        try:
            value = getattr(self.__dict__["module"], name)
        except AttributeError:
            raise Missing(self._missing(name)) from None
        self.called.append(name)
        return value

    @property
    def stale(self) -> bool:
        """Whether the module keeps something of earlier calls, and can be loaded anew."""
        return self.reload is not None and (self.kept is None or self.kept.changed)

    def renew(self) -> None:
        """Have a module that keeps nothing of earlier calls; raises what loading it anew raises."""
        if self.stale and self.reload is not None:
            with contextlib.redirect_stdout(io.StringIO()):  # it has been printed
                new = self.reload()
            self.module, self.calls, self.kept = new.module, new.calls, new.kept

    def in_clean_process(
        self, function: Callable[..., Any], *arguments: Any, needs: Sequence[Callable[..., Any]] = ()
    ) -> Any:
        """What `function(kata, *arguments)` returns in a process where this code is loaded anew.

        It is carried over as source: besides `torch` it may use only the functions in `needs`. Arguments are what JSON
        can hold, the result is tensors and plain values. Raises CleanProcessError with what was raised there.
        """
        code = "\n\n".join(inspect.getsource(needed) for needed in (*needs, function))
        home, solved = self.home, sorted(self.solved - {self.home.slug})
        module = self.module.__name__, self.filename, self.source
        return call(Job(str(home.root), home.slug, solved, *module, code, function.__name__, list(arguments)))

    def _missing(self, name: str) -> str:
        own = {
            other: value
            for other, value in vars(self.module).items()
            if getattr(value, "__module__", None) == self.module.__name__ and not other.startswith("_")
        }
        kind = self._kind(name)
        if not own:
            advice = " The file defines nothing at all: is it saved whole?"
        else:
            # What is there under another name of the contract is not this one misnamed, nor is a thing of another kind.
            free = [
                other
                for other, value in own.items()
                if inspect.isclass(value) == (kind == "class") and not hasattr(self.calls.contract, other)
            ]
            similar = difflib.get_close_matches(name, free, n=1, cutoff=0.6) or [
                other for other in free if other.lower().replace("_", "") == name.lower().replace("_", "")
            ]
            advice = f" There is `{similar[0]}`: is it misnamed?" if similar else ""
        return f"There is no {kind} `{name}` in your file.{advice}"

    def _kind(self, name: str) -> str:
        """What a name of the contract stands for, in a word."""
        value = getattr(self.calls.contract, name, None)
        if inspect.isclass(value) or (value is None and name[0].isupper() and not name.isupper()):
            return "class"
        return "function" if callable(value) or not name.isupper() else "constant"

    def line_of(self, name: str) -> int | None:
        """The line where a function or a class is defined in this file."""
        value = vars(self.module).get(name)
        code = getattr(inspect.unwrap(value) if inspect.isfunction(value) else value, "__code__", None)
        if code is not None:
            return code.co_firstlineno if code.co_filename == self.filename else None
        definition = re.search(rf"^(class|def) {re.escape(name)}\b", self.source, re.MULTILINE)
        return self.source.count("\n", 0, definition.start()) + 1 if definition else None
