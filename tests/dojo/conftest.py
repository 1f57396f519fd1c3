"""Count what was proved, and hold the shares against their bounds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.judge.client import Judge
from dojo.system.command import DOOR

from .clones import Clone
from .trees import ROOT, copy_tree

NAMED_ALONE = 0.99  # of the mistakes caught
PAIRS_NAMED = 0.95  # of pairs of mistakes, at least one of the two
OWN_NAMED = 0.99  # of mistakes in a file
proved: Counter[str] = Counter()
os.environ[DOOR] = "make"  # commands are printed in this form, also by the processes that tests start
os.environ["DOJO_SERVER"] = "0"  # no test asks the server of whoever runs it, and none leaves a server behind


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        for name, value in report.user_properties:
            if name == "proved":
                proved.update({value: 1} if isinstance(value, str) else dict([value]))


def short() -> list[str]:
    """The promises that fall short of their bounds."""
    pairs = proved["pairs named"] + proved["pairs not named"]
    found = []
    if proved["mistakes named alone"] < NAMED_ALONE * proved["mistakes caught"]:
        found.append(f"fewer than {NAMED_ALONE:.0%} of the mistakes are named alone")
    if proved["pairs named"] < PAIRS_NAMED * pairs:
        found.append(f"fewer than {PAIRS_NAMED:.0%} of the pairs are named")
    own = proved["named in a file of their own"]
    if own < OWN_NAMED * (own + proved["not named in a file of their own"]):
        found.append(f"fewer than {OWN_NAMED:.0%} of the mistakes are named in a file of their own")
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK and short():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if proved:
        terminalreporter.section("proved")
        for what, count in proved.items():
            terminalreporter.write_line(f"{count:5} {what}")
        for problem in short():
            terminalreporter.write_line(f"FELL SHORT: {problem}", red=True)


@pytest.fixture(scope="session")
def judge():
    """One judge for all tests, with a server of its own."""
    with Judge(ROOT) as judge:
        yield judge


@pytest.fixture(scope="module")
def clone(tmp_path_factory, judge):
    """A clone with two katas, k04 and k05, that the tests of a module share; `clone.renew()` takes back all work."""
    return Clone(tmp_path_factory.mktemp("clone"), judge)


@pytest.fixture
def tree(tmp_path: Path) -> Catalog:
    """The katas of a learner who has begun nothing: k04 and k05."""
    root = copy_tree(tmp_path / "clone", only=("k04", "k05"))
    for kata in Catalog(root).katas:
        stubs.write(kata)
    return Catalog(root)


@pytest.fixture
def open_terminal(tree: Catalog) -> Iterator[Callable[..., Any]]:
    """Open a terminal in which `dojo` is called in that tree, with these words; all are closed at the end."""
    from .terminals import Terminal

    opened = []

    def start(*words: str, **options: Any) -> Any:
        opened.append(Terminal(tree.root, *words, **options))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.kill()
