"""The workflow tries what the project promises: the oldest torch, three systems, and files that are there."""

import re

from .trees import ROOT

WORKFLOW = (ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")


def test_the_oldest_torch_that_the_package_takes_is_tried():
    oldest = re.search(r'"torch>=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")).group(1)
    assert set(re.findall(r"torch: \[?([\d.]+)", WORKFLOW)) == {f"{oldest}.0"}


def test_all_systems_and_the_oldest_python_are_tried():
    assert WORKFLOW.count("os: [ubuntu-latest, macos-latest, windows-latest]") == 2
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")).group(
        1
    )
    assert f'python: ["{oldest}", "3.x"]' in WORKFLOW and f'python: "{oldest}"' in WORKFLOW


def test_what_the_workflow_runs_is_there():
    assert "python -m dojo check" in WORKFLOW
    named = re.findall(r"\.ci/[\w.]+", WORKFLOW)
    assert named and all((ROOT / name).is_file() for name in named)


def test_constraints_still_hold_what_another_torch_is_put_in_the_place_of():
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert all(re.search(rf"^{name}==", constraints, re.MULTILINE) for name in ("torch", "sympy"))
    assert all(f"/^{name}==/d" in (ROOT / ".ci" / "torch").read_text(encoding="utf-8") for name in ("torch", "sympy"))
