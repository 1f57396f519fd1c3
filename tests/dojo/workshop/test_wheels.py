"""Which wheels a machine needs, and what is said of those that cannot be had: with a made-up index."""

from __future__ import annotations

import subprocess
import zipfile
from types import SimpleNamespace

import pytest

from dojo.workshop import wheels
from dojo.workshop.wheels import PLATFORMS, Gathering, Target, Unreachable, by_pip

PROJECT = """
[build-system]
requires = ["hatchling>=1"]
[project]
dependencies = ["torch>=2.6", "rich"]
[project.optional-dependencies]
room = ["uvicorn[fast]"]
"""
CONSTRAINTS = """# A comment
torch==2.13.0
rich==1.0 ; python_version >= '3.11'
rich==0.9 ; python_version < '3.11'
uvicorn==3.0
"""
REQUIRES = {
    "torch": [
        'nvidia-cublas==1; platform_system == "Linux"',
        'colours; sys_platform == "win32"',
        "Jinja2",
        'old; python_version < "3.11"',
    ],
    "torch+cpu": ["jinja2"],
    "uvicorn": ['quick; extra == "fast"', 'slow; extra == "standard"'],
    "jinja2": ["torch"],  # round in a circle
}
ANY = ("rich", "uvicorn", "jinja2", "hatchling", "editables", "quick", "slow", "colours", "old", "nvidia-cublas")


class Index:
    """An index of packages: it writes wheels, and counts what it was asked for."""

    def __init__(self, *lacking):
        self.lacking, self.asked = set(lacking), []

    def __call__(self, requirements, target, folder):
        self.asked.append(requirements)
        if bad := [text for text in requirements if self.lacking & {text, text.split("=")[0], "*"}]:
            return f"No matching distribution found for {bad[0]}"
        for text in requirements:
            self.write(text, target, folder)
        return ""

    def write(self, text, target, folder):
        name, _, version = text.replace(">=", "==").partition("==")
        python = f"cp{target.python.replace('.', '')}"
        tag = "py3-none-any" if name in ANY else f"{python}-{python}-{target.platform.tags[0]}"
        required = REQUIRES.get("torch+cpu" if "+cpu" in text else name, [])
        lines = ["Metadata-Version: 2.1", f"Name: {name}", *(f"Requires-Dist: {each}" for each in required)]
        with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version or '1.0'}-{tag}.whl", "w") as archive:
            archive.writestr(f"{name}-{version or '1.0'}.dist-info/METADATA", "\n".join(lines) + "\n\nrequires: all\n")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "constraints.txt").write_text(CONSTRAINTS)
    (tmp_path / "wheels").mkdir()
    return tmp_path


def gather(root, platform, python="3.12", index=None, cuda=False):
    """The names of the wheels of a target, and what cannot be had."""
    gathering = Gathering(root, Target(PLATFORMS[platform], python, cuda), root / "wheels", index or Index())
    missing = [each.why for each in gathering()]
    return {name: path.name.split("-")[1] for name, path in gathering.wheels.items()}, missing


BASE = {"torch", "rich", "uvicorn", "quick", "jinja2", "hatchling", "editables"}


@pytest.mark.parametrize(
    ("platform", "python", "more"),
    [
        ("windows", "3.12", {"colours"}),
        ("macos-arm", "3.12", set()),
        ("macos-arm", "3.10", {"old"}),
        ("linux", "3.12", set()),
        ("linux-arm", "3.13", set()),
    ],
)
def test_each_system_has_what_it_needs_and_no_more(root, platform, python, more):
    found, missing = gather(root, platform, python)
    assert (set(found), missing) == (BASE | more, [])
    assert found["torch"] == ("2.13.0+cpu" if "linux" in platform else "2.13.0")
    assert found["rich"] == ("0.9" if python == "3.10" else "1.0")


def test_torch_for_cuda_only_where_it_is_asked_for(root):
    index = Index("torch==2.13.0+cpu")
    found, (missing,) = gather(root, "linux", index=index)
    assert "torch" not in found and "rich" in found
    assert missing.startswith("torch==2.13.0+cpu cannot be had for Linux, Python 3.12: No matching distribution")
    assert "CUDA=1" in missing
    found, missing = gather(root, "linux", index=index, cuda=True)
    assert {"torch", "nvidia-cublas"} <= set(found) and missing == []


def test_what_is_there_is_not_fetched_again(root):
    index = Index()
    gather(root, "windows", index=index)
    count = len(index.asked)
    gather(root, "windows", index=index)
    assert len(index.asked) == count
    gather(root, "macos-arm", index=index)
    assert index.asked[count:] == [["torch==2.13.0"]]  # all others serve every system


def test_a_wheel_that_cannot_be_had_is_named_and_the_others_come(root):
    found, missing = gather(root, "windows", index=Index("rich"))
    assert len(missing) == 1 and "rich==1.0 cannot be had for Windows, Python 3.12" in missing[0]
    assert set(found) == (BASE | {"colours"}) - {"rich"}


def test_without_a_network_it_gives_up_soon(root):
    index = Index("*")
    with pytest.raises(Unreachable, match="No matching"):
        gather(root, "windows", index=index)
    assert len(index.asked) <= 4


def test_pip_is_asked_for_the_target_and_not_for_this_machine(monkeypatch, tmp_path):
    asked = []

    def run(command, **options):
        asked.append(command)
        errors = "WARNING: a\nERROR: Could not find it\nERROR: No matching distribution found for torch==2.13.0+cpu.\n"
        return SimpleNamespace(returncode=1, stderr=errors)

    monkeypatch.setattr(subprocess, "run", run)
    target = Target(PLATFORMS["linux"], "3.12")
    said = by_pip(["torch==2.13.0+cpu"], target, tmp_path)
    assert said == "No matching distribution found for torch==2.13.0+cpu"
    words = " ".join(asked[0])
    for part in ("--no-deps", "--python-version 3.12", "--platform manylinux_2_28_x86_64", "--only-binary=:all:"):
        assert part in words
    assert wheels.CPU_INDEX in words
    by_pip(["rich==1.0"], Target(PLATFORMS["windows"], "3.12"), tmp_path)
    assert "--platform win_amd64" in " ".join(asked[1]) and wheels.CPU_INDEX not in asked[1]
