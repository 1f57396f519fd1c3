"""The budgets of the house: small files, small functions, and imports that point one way."""

import ast
import functools
import re

import pytest

from .trees import ROOT

# Bottom to top: a module imports only from modules that stand before it. A new one takes its place here.
GROUND = ["catalog", "show", "verdict", "mistakes", "check", "strategies", "isolation", "claims"]
FIRST = ["arguments", "bans", "guard", "limits", "stubs", "suite", "workspace", "fresh", "partner", "reach"]
TEXTS = ["git", "download", "derivations", "grammar", "corpus"]
SECOND = ["diagnosis", "doctor", "update", "record", "progress", "report", "school", "judgement", "runs", "chart"]
THIRD = ["judge", "warm", "pytest_plugin", "pictures", "presets", "training", "trained", "graduation"]
THIRD += ["drawings", "attention"]
BENCH = ["rounds", "results", "roofline", "table", "pictures", "watchdog", "pairs", "contest", "timing", "machine"]
BENCH += ["memory", "passes", "attention", "compiled", "entrants", "stable", "course", "katas", "worker", "trainer"]
BENCH += ["timed_training", "verbs"]
BENCH += ["rules", "fence", "entry", "nursery", "child", "referee", "leaderboard", "speedrun", "ablation", "racing"]
BENCH = [f"bench.{name}" for name in BENCH]
TOP = ["tables", "page", "upkeep", "gallery", "events", "screen", "watch", "cli", "__main__", "notebook"]
TOP += ["__init__"]  # which holds what IPython calls
ORDER = [*GROUND, *FIRST, *TEXTS, *SECOND, *THIRD, *BENCH, *TOP]
HEAVY = {"torch", "numpy", "hypothesis", "pytest", "matplotlib", "tiktoken"}
FILES = {path.stem: path for path in sorted((ROOT / "dojo").glob("*.py"))}
FILES |= {f"bench.{path.stem}": path for path in sorted((ROOT / "dojo" / "bench").glob("[!_]*.py"))}


@functools.cache  # not parsed at the top: every process that runs tests imports this file
def tree_of(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


def imports(name: str, lazy: bool = True) -> set[str]:
    """What a module imports, modules of dojo by their path from there; without `lazy` only what is at its top."""
    found, room = set(), name.rpartition(".")[0]
    for node in ast.walk(tree_of(name)) if lazy else ast.iter_child_nodes(tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            below = f"{room}." if room and node.level == 1 else ""
            names = {node.module} if node.module else {alias.name for alias in node.names}
            if node.module and below + node.module not in FILES:  # a folder: what is taken from it are its modules
                names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {below + name for name in names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return found


def test_every_module_has_its_place():
    assert sorted(ORDER) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_imports_point_one_way(name):
    above = set(ORDER[ORDER.index(name) :])
    assert not imports(name) & above & set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_no_file_is_over_250_lines_and_no_function_over_40(name):
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= 250
    functions = [node for node in ast.walk(tree_of(name)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [node.name for node in functions if node.end_lineno - node.lineno + 1 > 40] == []


def test_the_board_and_the_hints_load_nothing_heavy():
    loaded, waiting = set(), {"cli"}
    while waiting:
        name = waiting.pop()
        loaded.add(name)
        waiting |= (imports(name, lazy=False) & set(FILES)) - loaded
        assert not imports(name, lazy=False) & HEAVY, name
    assert {"catalog", "progress", "school", "judge"} <= loaded


@pytest.mark.parametrize("name", GROUND + FIRST + SECOND)
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
    assert public == [] or name == "cli" and public == ["app"]
    assert name == "__init__" or ast.get_docstring(tree_of(name))
