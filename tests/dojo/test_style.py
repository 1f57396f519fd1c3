"""The budgets of the house: small files, small functions, and nothing heavy where people wait."""

import ast
import functools
import re

import pytest

from .trees import ROOT

# From the lowest floor up; that imports point one way is a contract of `make lint`.
ROOMS = [
    "system",
    "curriculum",
    "spec",
    "sandbox",
    "observe",
    "judge",
    "learner",
    "gpt",
    "bench",
    "speedrun",
    "figures",
    "grading",
    "workshop",
    "cli",
]
HEAVY = {"torch", "numpy", "hypothesis", "pytest", "matplotlib", "tiktoken"}
FILES = {
    ".".join(path.relative_to(ROOT / "dojo").with_suffix("").parts): path
    for path in sorted((ROOT / "dojo").rglob("*.py"))
}


@functools.cache  # not parsed at the top: every process that runs tests imports this file
def tree_of(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


def loaded_with(name: str) -> set[str]:
    """What importing a module loads: modules of dojo by their path from there, others by their package."""
    found = set()
    for node in ast.iter_child_nodes(tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            folder = name.split(".")[: -node.level]
            source = [*folder, *(node.module or "").split(".")] if node.module else folder
            paths = [".".join([*source, alias.name]) for alias in node.names] + [".".join(source)]
            found |= {path for path in paths if path in FILES}
            found |= {".".join([*source[:depth], "__init__"]) for depth in range(1, len(source) + 1)} & set(FILES)
    return found


@pytest.mark.parametrize("name", FILES)
def test_no_file_is_over_400_lines_and_no_function_over_40(name):
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= 400
    functions = [node for node in ast.walk(tree_of(name)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [node.name for node in functions if node.end_lineno - node.lineno + 1 > 40] == []


def test_the_board_and_the_hints_load_nothing_heavy():
    verbs = {f"cli.{name}" for name in ("main", "learn", "upkeep", "authors")}
    loaded, waiting = set(), verbs | {"learner.board", "learner.verdict_text", "learner.watch"}
    while waiting:
        name = waiting.pop()
        loaded.add(name)
        waiting |= (loaded_with(name) & set(FILES)) - loaded
        assert not loaded_with(name) & HEAVY, name
    assert {"curriculum.catalog", "learner.progress", "learner.session", "judge.client"} <= loaded


@pytest.mark.parametrize("name", [name for name in FILES if name.split(".")[0] in ROOMS[:7]])
def test_the_lower_floors_name_no_single_kata(name):
    docstrings = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree_of(name))
        if hasattr(node, "body") and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
    }
    texts = [node.value for node in ast.walk(tree_of(name)) if isinstance(node, ast.Constant)]
    texts = [text for text in texts if isinstance(text, str) and text not in docstrings]
    assert not [text for text in texts if re.search(r"\bk\d\d(_\w+)?\b", text)]


@pytest.mark.parametrize("name", FILES)
def test_public_things_say_what_they_do(name):
    public = [
        node.name
        for node in tree_of(name).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        if ast.get_docstring(node) is None and not node.name.startswith("pytest_")
    ]
    assert public == []
    assert name.endswith("__init__") or ast.get_docstring(tree_of(name))
