"""Import the code of a kata: the learner's, the reference's, or a text that stands in for either.

The reference lives in a package of a private name, so that `import solutions` in a learner's file is not served
from memory. Learners' files live in `katas`: a kata imports earlier katas from there, and where one of those is
not solved yet the reference's code stands in.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ..curriculum.catalog import Catalog, Kata
from ..spec.errors import Missing
from .arguments import guard
from .file_access import watching

REFERENCE = "_dojo_reference"
LEARNER = "katas"


class LoadError(Exception):
    """A learner's file that cannot be read or compiled. `line` is where, or None."""

    def __init__(self, message: str, line: int | None = None):
        super().__init__(message)
        self.line = line


@dataclass
class Subject:
    """The code under test: its module, with a plain message for each name that it lacks."""

    module: ModuleType
    filename: str
    source: str
    home: Kata
    called: list[str] = field(default_factory=list)  # names of the contract that the running claim has used

    def __getattr__(self, name: str) -> Any:
        try:
            value = getattr(self.__dict__["module"], name)
        except AttributeError:
            raise Missing(self._missing(name)) from None
        self.called.append(name)
        return value

    def in_clean_process(
        self, function: Callable[..., Any], *arguments: Any, needs: Sequence[Callable[..., Any]] = ()
    ) -> Any:
        """What `function(kata, *arguments)` returns in a process where this code is loaded anew.

        It is carried over as source: besides `torch` it may use only the functions in `needs`. Arguments are what JSON
        can hold, the result is tensors and plain values. Raises CleanProcessError with what was raised there.
        """
        from .clean_process import call

        return call(self, function, *arguments, needs=needs)

    def _missing(self, name: str) -> str:
        own = [
            other
            for other, value in vars(self.module).items()
            if getattr(value, "__module__", None) == self.module.__name__ and not other.startswith("_")
        ]
        kind = "class" if name[0].isupper() and not name.isupper() else "function"
        near = difflib.get_close_matches(name, own, n=1, cutoff=0.6) or [
            other for other in own if other.lower().replace("_", "") == name.lower().replace("_", "")
        ]
        advice = f" There is `{near[0]}`: is it misnamed?" if near else ""
        if not own:
            advice = " The file defines nothing at all: is it saved whole?"
        return f"There is no {kind} `{name}` in your file.{advice}"

    def line_of(self, name: str) -> int | None:
        """The line where a function or a class is defined in this file."""
        value = vars(self.module).get(name)
        code = getattr(inspect.unwrap(value) if inspect.isfunction(value) else value, "__code__", None)
        if code is not None:
            return code.co_firstlineno if code.co_filename == self.filename else None
        found = re.search(rf"^(class|def) {re.escape(name)}\b", self.source, re.MULTILINE)
        return self.source.count("\n", 0, found.start()) + 1 if found else None

    def line_in(self, error: BaseException) -> int | None:
        """The deepest line of this file in an error's traceback."""
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == self.filename]
        return lines[-1] if lines else None


class Workspace:
    """The katas of one tree, ready to import."""

    def __init__(self, catalog: Catalog, solved: frozenset[str] = frozenset()):
        """`solved` are the slugs whose file a learner's later katas may build on; elsewhere the reference stands in."""
        self.catalog = catalog
        self.solved = solved
        self.memory: dict[Any, Any] = {}  # of diagnoses: texts as modules, what they answered, what is run
        self._finder = _KataFinder(self)
        root = catalog.root.resolve()
        self._answers = root / "solutions", root / "tests" / "mistakes", root / "tests" / "alternatives"

    def reference(self, kata: Kata) -> ModuleType:
        """The solution's module."""
        self._take_over()
        with watching():
            return importlib.import_module(f"{REFERENCE}.{kata.slug}.{kata.name}")

    def learner(self, kata: Kata, path: Path | None = None) -> Subject:
        """The learner's module, from its file or that at `path`. Raises LoadError and what the file itself raises."""
        path = path or kata.file
        source = read_source(path)
        self._clear(kata)
        with self.watching():
            return self._execute(kata, source, str(path), f"{LEARNER}.{kata.slug}.{kata.name}")

    def parts(self) -> dict[str, ModuleType]:
        """Every kata's module by its code: the learner's where solved, built on each other. Raises LoadError."""
        self._clear(None)
        return {kata.code: self._part(kata) for kata in self.catalog.katas}

    def part(self, kata: Kata) -> ModuleType:
        """One kata's module as in `parts`: nothing looks on when it is called, so its speed is its own."""
        self._clear(None)
        return self._part(kata)

    def _part(self, kata: Kata) -> ModuleType:
        return importlib.import_module(f"{LEARNER}.{kata.slug}.{kata.name}")

    def variant(self, kata: Kata, source: str, name: str) -> Subject:
        """A module made of a changed text of the solution; it builds on the reference of earlier katas."""
        self.reference(kata)
        filename = f"<{kata.slug}: {name}>"
        return self._execute(kata, source, filename, f"{REFERENCE}.{kata.slug}.{kata.name}__variant")

    def stand_ins(self, kata: Kata) -> dict[str, list[str]]:
        """The earlier katas that the reference stands in for, and the names that are used of each."""
        return {slug: names for slug, names in kata.needs.items() if slug not in self.solved}

    def watching(self) -> AbstractContextManager[None]:
        """While this lasts, code that opens a solution or a bank of mistakes is refused."""
        return watching(*self._answers)

    def _take_over(self) -> None:
        """Serve the imports of this tree, and no more those of a workspace that did so before."""
        if self._finder in sys.meta_path:
            return
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _KataFinder)]
        sys.meta_path.insert(0, self._finder)
        solutions = self.catalog.root / "solutions"
        stamp = str(solutions), [kata.solution.stat().st_mtime_ns for kata in self.catalog.katas]
        if getattr(sys.modules.get(REFERENCE), "stamp", None) != stamp:  # of another tree, or changed since
            for name in [name for name in sys.modules if name.startswith(f"{REFERENCE}.")]:
                del sys.modules[name]
            _package(REFERENCE, [str(solutions)]).stamp = stamp

    def _clear(self, current: Kata | None) -> None:
        self._take_over()
        for name in [name for name in sys.modules if name.startswith(f"{LEARNER}.")]:
            del sys.modules[name]
        _package(LEARNER, [])
        self._finder.current = current

    def _execute(self, kata: Kata, source: str, filename: str, name: str) -> Subject:
        module = ModuleType(name)
        module.__file__ = filename
        module.__package__ = name.rpartition(".")[0]
        code = compile_source(source, filename)
        sys.modules[name] = module  # dataclasses look their module up
        try:
            exec(code, module.__dict__)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        guard(module)
        return Subject(module, filename, source, kata)


def read_source(path: Path) -> str:
    """A file's text, read as bytes. Raises LoadError with a plain message."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise LoadError("Your file is gone. `make reset` brings the stub back.") from None
    except OSError as error:
        raise LoadError(f"Your file cannot be read: {error.strerror or error}.") from None
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise LoadError("Your file holds null bytes: it seems to be saved only in part.", line)
    if not data.strip():
        raise LoadError("Your file is empty. `make reset` brings the stub back.")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LoadError("Your file is not UTF-8 text. Save it in the encoding UTF-8.", line) from None


@functools.lru_cache(maxsize=512)  # a bank of mistakes is compiled again for each failure that it may explain
def compile_source(source: str, filename: str) -> Any:
    """Compile a text. Raises LoadError for a syntax error, with its line."""
    try:
        return compile(source, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise LoadError(f"Python cannot read your file: {error.msg}.", error.lineno) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise LoadError(f"Python cannot read your file: {error}.") from None


class _KataFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves `katas.kNN_name.name`: the learner's file where that kata is solved, else the solution's.

    The solution is run anew under that name, so that what it imports is the learner's where that is solved.
    """

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.current: Kata | None = None
        self.katas: Mapping[str, Kata] = {kata.slug: kata for kata in workspace.catalog.katas}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        slug, _, name = rest.partition(".")
        if package != LEARNER or slug not in self.katas or name not in ("", self.katas[slug].name):
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=not name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        _, slug, *name = module.__name__.split(".")
        if not name:
            return
        kata = self.katas[slug]
        if self.current is not None and kata.number >= self.current.number:
            raise ImportError(f"{self.current.code} builds on earlier katas only; {kata.code} is not one of them")
        path = kata.file if slug in self.workspace.solved else kata.solution
        module.__file__ = str(path)
        with watching():
            source = read_source(path)
        exec(compile_source(source, str(path)), module.__dict__)


def _package(name: str, path: list[str]) -> Any:
    package = sys.modules[name] = ModuleType(name)
    package.__path__ = path
    return package
