"""What a learner finds in VS Code: every claim in the test panel, by its name, at its line, and run by its id."""

import json
import re

import pytest

from .learners import FILL
from .trees import ROOT

# What the adapter of VS Code asks of each test: its label, its id, and where to go.
PANEL = """
import json, pathlib

def pytest_collection_finish(session):
    found = [(item.name, item.nodeid, *item.location[:2]) for item in session.items]
    pathlib.Path("panel.json").write_text(json.dumps(found))
"""


def settings(name):
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def panel(clone):
    """Each test as the panel lists it: (label, id, file, line)."""
    (clone.root / "panel.py").write_text(PANEL)
    arguments = settings(".vscode/settings.json")["python.testing.pytestArgs"]
    done = clone.process("-m", "pytest", "-p", "panel", f"--rootdir={clone.root}", "--collect-only", *arguments)
    assert done.returncode == 0, done.stdout
    return json.loads((clone.root / "panel.json").read_text())


def test_the_panel_lists_every_kata_and_nothing_else(panel):
    assert {file for _, _, file, _ in panel} == {f"tests/katas/{path.name}" for path in ROOT.glob("tests/katas/*.py")}


def test_labels_are_sentences(panel):
    assert all(re.fullmatch(r"test(_[a-zA-Z0-9]+){2,}", label) for label, *_ in panel)


def test_every_test_stands_at_its_line_and_so_in_the_order_of_the_steps(panel):
    for label, _, file, line in panel:
        text = (ROOT / file).read_text(encoding="utf-8").splitlines()[line:]
        assert text[0].startswith("@"), (file, line)
        assert next(one for one in text if one.startswith("def ")).startswith(f"def {label}(")
    places = [(file, line) for _, _, file, line in panel]
    assert places == sorted(places)


def test_a_test_runs_by_its_id(clone, panel):
    clone.renew()
    clone.save("5", clone.solution("5").replace(FILL, FILL.replace("-torch.inf", "0.0")))
    wrong, right = (
        next(str(clone.root / name) for label, name, *_ in panel if label == wanted)
        for wanted in ("test_hidden_weights_are_exactly_zero", "test_mask_is_true_exactly_for_later_tokens")
    )
    done = clone.process("-m", "pytest", f"--rootdir={clone.root}", wrong, right)
    assert "1 failed, 1 passed" in done.stdout
    assert "hidden scores are filled with 0. " in done.stdout


def test_the_settings_name_the_interpreter_that_make_sets_up():
    assert "VENV := .venv\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert settings(".vscode/settings.json")["python.defaultInterpreterPath"].endswith("/.venv/bin/python")
    container = settings(".devcontainer/devcontainer.json")
    assert container["mounts"][0].endswith("target=${containerWorkspaceFolder}/.venv")  # never the one of the host
    assert "WATCHFILES_FORCE_POLLING" in container["containerEnv"]
    wanted = settings(".vscode/extensions.json")["recommendations"]
    assert container["customizations"]["vscode"]["extensions"] == wanted
