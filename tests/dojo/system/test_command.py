"""Commands that are printed, in the form that works where one is, and each understood as printed."""

import ast
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from dojo.cli.main import app
from dojo.system import command as commands
from dojo.system.command import DOOR, command

from ..trees import ROOT

VALUES = {"KATA": 5, "STEP": 2, "PRESET": "verona", "BUDGET": 600, "RESUME": 1, "RECORD": 1, "NEW": 1, "PORT": 9000}
VALUES |= {"FORMAT": "json"}


def printed():
    """The calls of `command` in `dojo`, with values for what they leave open."""
    calls = set()
    for path in sorted((ROOT / "dojo").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command":
                verb = node.args[0].value if node.args else ""
                calls.add((verb, tuple(sorted(word.arg for word in node.keywords if word.arg))))
    return sorted(calls)


def options(names):
    return {name: VALUES.get(name, "mine.json") for name in names}


def test_calls_are_seen():
    assert ("hint", ("KATA", "STEP")) in printed() and len(printed()) > 12


@pytest.mark.parametrize("verb, names", printed())
def test_what_is_printed_is_understood_as_printed(monkeypatch, verb, names):
    monkeypatch.setenv(DOOR, "python -m dojo")
    typed = command(verb, **options(names))
    words = shlex.split(typed)
    assert words[:3] == ["python", "-m", "dojo"]
    context = app.make_context("dojo", words[3:], resilient_parsing=not verb)
    name, found, rest = app.resolve_command(context, words[3:]) if verb else ("", None, [])
    if found is not None:
        found.make_context(name, rest)  # raises a usage error where it does not understand them


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("verb, names", printed())
def test_make_calls_the_verb_as_it_is_called_without_make(monkeypatch, verb, names):
    monkeypatch.setenv(DOOR, "make")
    words = shlex.split(command(verb, **options(names)))
    done = subprocess.run([*words, "--dry-run", "PY=python"], cwd=ROOT, capture_output=True, text=True, check=True)
    monkeypatch.setenv(DOOR, "python -m dojo")
    quoted = re.sub(r'"\$[A-Z]+"', "mine.json", done.stdout.replace("\\\n", " "))
    assert shlex.split(quoted) == shlex.split(command(verb, **options(names)))


def test_an_empty_option_is_left_out_and_a_space_is_quoted(monkeypatch):
    monkeypatch.setenv(DOOR, "make")
    assert command("hint", KATA=5, STEP=0) == "make hint KATA=5"
    assert command("sample", PROMPT="to be") == "make sample PROMPT='to be'"


def test_a_notebook_judges_by_a_cell_and_calls_the_rest_through_the_shell(monkeypatch):
    monkeypatch.setenv(DOOR, "!python -m dojo")
    assert command("test", KATA=6) == "%%kata 6"
    assert command("hint", KATA=6, STEP=2) == "!python -m dojo hint 6 --step 2"


@pytest.mark.parametrize(
    "called, on_path, form",
    [
        (ROOT / "dojo/__main__.py", {"python": sys.executable}, "python -m dojo"),
        (ROOT / "dojo/__main__.py", {"python": "/other/python", "python3": sys.executable}, "python3 -m dojo"),
        (ROOT / "dojo/__main__.py", {}, f"{sys.executable} -m dojo"),
        ("/venv/bin/dojo", {"dojo": "/venv/bin/dojo"}, "dojo"),
        ("/venv/bin/dojo", {}, "/venv/bin/dojo"),
    ],
)
def test_a_command_begins_as_the_one_before_did(monkeypatch, tmp_path, called, on_path, form):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(DOOR)
    monkeypatch.setattr(commands.sys, "argv", [str(called), "test", "5"])
    monkeypatch.setattr(commands.shutil, "which", on_path.get)
    commands.remember_door()
    assert command("test", KATA=5) == f"{form} test 5"


def test_a_python_below_this_folder_is_called_from_here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands.shutil, "which", lambda name: None)
    monkeypatch.setattr(commands.sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert commands.python() == ".venv/bin/python"


@pytest.mark.parametrize("make, form", [("/usr/bin/make", "make test KATA=5"), (None, "python -m dojo test 5")])
def test_where_no_verb_was_called_make_serves_if_it_is_there(monkeypatch, make, form):
    monkeypatch.delenv(DOOR)
    monkeypatch.setattr(commands.shutil, "which", {"make": make, "python": sys.executable}.get)
    assert command("test", KATA=5) == form
