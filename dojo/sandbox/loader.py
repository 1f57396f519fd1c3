"""Import the code of a kata: the learner's, the reference's, or a text that stands in for either.

The reference lives in a package of a private name, so that `import solutions` in a learner's file is not served
from memory. Learners' files live in `katas`: a kata imports earlier katas from there, and where one of those is
not solved yet the reference's code stands in.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

from ..curriculum.catalog import Catalog, Kata
from ..spec.errors import Refused
from .calls import Calls
from .file_access import LEARNER, READS, forbid_reading
from .module_state import ModuleState
from .source import compile_source, read_source
from .subject import Subject

REFERENCE = "_dojo_reference"


def run(source: str, filename: str, module: ModuleType) -> None:
    """Run a text as a module's. Raises LoadError and what the text raises."""
    exec(compile_source(source, filename), module.__dict__)


run_learners: Callable[[str, str, ModuleType], None] = run  # grading puts a stricter one in its place


class Workspace:
    """The katas of one tree, ready to import."""

    def __init__(self, catalog: Catalog, solved: frozenset[str] = frozenset()):
        """`solved` are the slugs whose file a learner's later katas may build on; elsewhere the reference stands in."""
        self.catalog = catalog
        self.solved = solved
        self._finder = _KataFinder(self)
        root = catalog.root.resolve()
        kept = [root / "tests" / name for name in ("mistakes", "alternatives", "verdicts")]
        self._answers = root / "solutions", *kept

    def reference(self, kata: Kata) -> ModuleType:
        """The solution's module."""
        self._take_over()
        with forbid_reading():
            module = importlib.import_module(f"{REFERENCE}.{kata.slug}.{kata.name}")
        for other in self.catalog.katas:
            if loaded := sys.modules.get(f"{REFERENCE}.{other.slug}.{other.name}"):
                loaded.__class__ = _Reference
        return module

    def learner(self, kata: Kata, path: Path | None = None) -> Subject:
        """The learner's module, from its file or that at `path`. Raises LoadError and what the file itself raises."""
        path = path or kata.file
        return self.load_text(kata, read_source(path), str(path), f"{LEARNER}.{kata.slug}.{kata.name}")

    def load_text(self, kata: Kata, source: str, filename: str, name: str) -> Subject:
        """A module of this text and name, where no learner's module is loaded yet. Raises what the text raises."""
        self._clear(kata)
        with self.forbid_reading():
            subject = self._execute(kata, source, filename, name)
        subject.reload = functools.partial(self.load_text, kata, source, filename, name)
        subject.kept = ModuleState([subject.module, *self._finder.served])
        return subject

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
        subject = self._execute(kata, source, filename, f"{REFERENCE}.{kata.slug}.{kata.name}__variant")
        subject.reload = functools.partial(self.variant, kata, source, name)
        subject.kept = ModuleState([subject.module])
        return subject

    def stand_ins(self, kata: Kata) -> dict[str, list[str]]:
        """The earlier katas that the reference stands in for, and the names that are used of each."""
        return {slug: names for slug, names in kata.needs.items() if slug not in self.solved}

    def forbid_reading(self) -> AbstractContextManager[None]:
        """While this lasts, code that opens a solution or a bank of mistakes is refused."""
        return forbid_reading(*self._answers)

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
            vars(_package(REFERENCE, [str(solutions)]))["stamp"] = stamp

    def _clear(self, current: Kata | None) -> None:
        self._take_over()
        for name in [name for name in sys.modules if name.startswith(f"{LEARNER}.")]:
            del sys.modules[name]
        _package(LEARNER, [])
        self._finder.current = current
        self._finder.served = []

    def _execute(self, kata: Kata, source: str, filename: str, name: str) -> Subject:
        contract = self.reference(kata)
        module = ModuleType(name)
        module.__file__ = filename
        module.__package__ = name.rpartition(".")[0]
        sys.modules[name] = module  # dataclasses look their module up
        try:
            (run_learners if name.startswith(f"{LEARNER}.") else run)(source, filename, module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        calls = Calls(contract)
        calls.watch(module)
        return Subject(module, filename, source, kata, self.solved, calls)


class _Reference(ModuleType):
    """The solution's module, which does not give the code under test what it defines."""

    def __getattribute__(self, name: str) -> Any:
        asking = sys._getframe(1).f_globals.get("__name__")
        if asking is None or asking.startswith(f"{LEARNER}."):
            raise Refused(READS)
        return super().__getattribute__(name)


class _KataFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves `katas.kNN_name.name`: the learner's file where that kata is solved, else the solution's.

    The solution is run anew under that name, so that what it imports is the learner's where that is solved.
    """

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.current: Kata | None = None
        self.served: list[ModuleType] = []  # since modules were last loaded anew
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
        with forbid_reading():
            source = read_source(path)
        run(source, str(path), module)
        self.served.append(module)


def _package(name: str, path: list[str]) -> ModuleType:
    package = sys.modules[name] = ModuleType(name)
    package.__path__ = path
    return package
