"""Run `tests/katas` with plain pytest and get the same verdict, so that an editor's test panel works.

The judge's server is asked first, as `make test` asks it. Where it says that the kata does not pass, claims are checked
here, in the order of their steps, so that each that fails has a report of its own; after a step that fails the later
ones are skipped. What a failing test prints is the report, not the traceback of the machinery. torch is imported
where tests are collected, and not by a process that only hands them out to others.
"""

from __future__ import annotations

import contextlib
import copy
import os
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .curriculum.catalog import Catalog, Kata
from .judge import shared_server
from .judge.client import Judge, JudgeError
from .learner.progress import Progress
from .learner.verdict_text import render
from .system.root import find_root

if TYPE_CHECKING:
    from .sandbox.loader import Workspace

KEY = pytest.StashKey[dict[str, "KataTests"]]()


class NotPassed(Exception):
    """A claim that does not hold; the message is the report."""


class KataTests:
    """One kata being judged, claim by claim."""

    def __init__(self, kata: Kata, workspace: Workspace):
        from .judge.run import KataRun

        self.kata = kata
        self.passes = _passes(kata, workspace.solved)
        if self.passes:
            return
        self.kata_run = KataRun(kata, workspace)
        self.failed_step: int | None = None
        with _no_way_out():
            if not self.kata_run.load():
                self.failed_step = 0
        self.loaded = self.kata_run.verdict

    def run(self, name: str) -> None:
        """Check one claim: passes, skips (an earlier step failed) or raises NotPassed."""
        if self.passes:
            return
        claim = self.kata_run.suite.claim(name)
        if self.failed_step == 0:
            self.failed_step = -1
            raise NotPassed(self.report())
        if self.failed_step is not None and claim.step > self.failed_step:
            first = "the file cannot be run" if self.failed_step < 0 else f"step {self.failed_step} comes first"
            pytest.skip(first)
        self.kata_run.verdict = copy.deepcopy(self.loaded)  # each test has a verdict of its own
        with _no_way_out():
            outcome = self.kata_run.check(claim)
        if outcome.kind == "passed":
            return
        self.failed_step = claim.step
        self.kata_run.fail(claim, outcome)
        raise NotPassed(self.report())

    def report(self) -> str:
        return render(self.kata_run.verdict, self.kata.title).plain


def pytest_configure(config: pytest.Config) -> None:
    config.stash[KEY] = {}


def pytest_collectstart() -> None:
    """Compute on one thread, from before the first test file is imported."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def kata() -> None:
    """Stands for the code under test; the run supplies it."""


@pytest.fixture
def reference() -> None:
    """Stands for the solution; the run supplies it."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the claims of each file by step."""
    items.sort(key=lambda item: (str(item.path), _claim(item).step) if _claim(item) else ("", 0))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Check a claim by the run of its kata."""
    if _claim(pyfuncitem) is None:
        return None
    katas = pyfuncitem.config.stash[KEY]
    name = pyfuncitem.path.stem
    if name not in katas:
        from .sandbox.loader import Workspace

        catalog = Catalog(find_root())
        solved = Progress.load(catalog.root).solved(catalog)
        katas[name] = KataTests(catalog.by_slug(name.removeprefix("test_")), Workspace(catalog, solved))
    katas[name].run(pyfuncitem.originalname)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the report in the place of a traceback."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, NotPassed):
        report.longrepr = str(call.excinfo.value)
    return report


def _passes(kata: Kata, solved: frozenset[str]) -> bool:
    """Whether the judge's server says so, where there is one to ask."""
    if not shared_server.allowed():
        return False
    with Judge(kata.root) as judge, contextlib.suppress(JudgeError):
        return judge.verdict(kata, solved, diagnose=False).verdict == "passed"
    return False


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """There is no child process here: `os._exit` would end pytest with whatever status the learner's code likes."""
    leave, os._exit = os._exit, sys.exit  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = leave


def _claim(item: pytest.Item) -> Any:
    return getattr(getattr(item, "obj", None), "claim", None)
