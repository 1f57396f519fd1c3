"""`make train` and `make sample` as one types them: what they advise works, and an interrupted run is there to use."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from dojo.system import console
from dojo.system.console import command, every

from ..trees import ROOT, copy_tree

# A process in which the preset `verona` is tiny, and which interrupts itself after some steps.
SCRIPT = """
import os, signal, sys
from dojo.gpt import presets, training
from tests.dojo.gpt.test_training import TINY
from dataclasses import replace
presets.PRESETS["verona"] = replace(TINY, name="verona", steps=12, evaluate_every=6)
stop, after = int(os.environ.get("STOP_AT", 0)), training.Run._after
def stopping(self, asked, on_step):
    def then(run):
        on_step(run)
        if run.step == stop:
            os.kill(os.getpid(), signal.SIGINT)
    return after(self, asked, then)
training.Run._after = stopping
import dojo.system.processes
from dojo.cli.main import main
sys.argv[0] = "__main__.py"
main()
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    tree = copy_tree(tmp_path_factory.mktemp("clone"))
    (tree / "tiny.py").write_text(SCRIPT, encoding="utf-8")
    return tree


def typed(tree, line, **more):
    """What comes of a line as it would be typed, where `make` and `python -m dojo` are those of the tiny preset."""
    make = f'make --no-print-directory PY={sys.executable} DOJO="{sys.executable} tiny.py"'
    line = line.replace("python -m dojo", f"{sys.executable} tiny.py", 1)
    line = line.replace("make", make, 1) if line.startswith("make") else line
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment |= {"DOJO_ROOT": str(tree), "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"} | more
    run = subprocess.run(line, shell=True, cwd=tree, env=environment, capture_output=True, text=True, encoding="utf-8")
    return run.returncode, run.stdout + run.stderr


@pytest.mark.skipif(os.name == "nt", reason="there is no make here, and no SIGINT to send")
@pytest.mark.parametrize("line", ["make train IMPL=solutions", "python -m dojo train --impl solutions"])
def test_what_an_interrupted_run_advises_works_as_printed(tree, line):
    status, shown = typed(tree, line, STOP_AT="3")
    assert "Stopped at step 3. It is saved." in shown and "step     1 of 12" in shown, shown
    assert status == 2 if line.startswith("make") else 130
    (again,) = re.findall(r"Go on with: (.*)", shown)
    assert again.startswith(line.split(" train")[0]) and "solutions" in again and "verona" in again
    program = line.split(" train")[0]
    seen = typed(tree, f"{program} sample" + (' PROMPT="to"' if program == "make" else ' --prompt "to"'))
    assert seen[0] == 0 and seen[1].startswith("to"), seen
    status, shown = typed(tree, again)
    assert status == 0 and "median step" in shown and "kept as" not in shown, shown


@pytest.mark.parametrize(
    ("level", "program", "options", "want"),
    [
        ("1", "x/dojo/__main__.py", {"preset": "verona", "resume": True}, "make train PRESET=verona RESUME=1"),
        ("1", "x/dojo/__main__.py", {"text": "my $5 text", "impl": ""}, "make train TEXT='my $$5 text'"),
        ("", "x/dojo/__main__.py", {"preset": "a", "resume": True}, "python -m dojo train a --resume"),
        ("", "bin/dojo", {"text": "my text", "resume": False}, "dojo train --text 'my text'"),
    ],
)
def test_a_command_is_in_the_form_in_which_one_calls(monkeypatch, level, program, options, want):
    monkeypatch.delenv("MAKELEVEL", raising=False)
    if level:
        monkeypatch.setenv("MAKELEVEL", level)
    monkeypatch.setattr(sys, "argv", [program])
    assert command("train", "preset", **options) == want


def test_every_so_often_is_at_once_and_then_after_a_while(monkeypatch):
    clock = iter([5.0, 6.0, 24.9, 25.0, 26.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    due = every(20)
    assert [due() for _ in range(5)] == [True, False, False, True, False]


@pytest.mark.parametrize(("verb", "policy"), [("sample", "PASSIVE"), ("bench", None)])
def test_what_runs_beside_other_work_waits_passively_before_torch_is_there(verb, policy):
    code = (
        "import sys, os, importlib\n"
        "from dojo.cli import main\n"
        "main.import_module = lambda name: print('torch' in sys.modules, os.environ.get('OMP_WAIT_POLICY')) or exit()\n"
        f"main.app([{verb!r}])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == f"False {policy}\n", done.stderr
