"""A bundle: what is in it, what is refused, and what the script in it says to whoever starts it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from dojo.cli.main import app
from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.workshop import bundle as bundles
from dojo.workshop import start
from dojo.workshop.bundle import Bundle, BundleError
from dojo.workshop.wheels import PLATFORMS, Target

from ..trees import ROOT, copy_tree
from .test_wheels import Index

OURS = f"{sys.version_info[0]}.{sys.version_info[1]}"
SYSTEM = start.SYSTEMS.get((sys.platform, platform.machine()), "linux")
MADE = os.environ.get("DOJO_BUNDLE", "")  # a folder that `make bundle` made: it is tried with no network
SECONDS = 120  # within which it has to set up


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with two katas, one of them solved, and a file that is not committed."""
    root = copy_tree(tmp_path_factory.mktemp("leader") / "clone", only=("k04", "k05"))
    for name in (".gitignore", ".gitattributes"):
        shutil.copy(ROOT / name, root / name)
    k05 = Catalog(root).find("5")
    shutil.copy(k05.solution, k05.file)
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-c", "core.autocrlf=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "All"]):
        subprocess.run([*git, *words], cwd=root, check=True)
    (root / ".dojo").mkdir()
    (root / ".dojo" / "progress.json").write_text("{}")
    k05.lesson.write_text(k05.lesson.read_text(encoding="utf-8") + "\nNot committed.\n", encoding="utf-8")
    return root


@pytest.fixture
def made(clone, tmp_path):
    """A bundle without data, and what was said."""
    said = []
    target = Target(PLATFORMS[SYSTEM], OURS), Target(PLATFORMS["windows"], "3.12")
    bundle = Bundle(clone, tmp_path / "stick", said.append)
    bundle.make(list(target), [], [], Index())
    return bundle, said


def test_what_is_in_a_bundle(made):
    bundle, said = made
    names = {path.name for path in bundle.folder.iterdir()}
    assert names == {
        *("gpt-katas", "wheels", "bundle.json", "Makefile", "START-HERE.html", "start.sh", "start.bat", "start.py")
    }
    assert bundle.lacking == [] and any("Windows, Python 3.12" in line for line in said)
    inside = bundle.folder / "gpt-katas"
    assert not (inside / ".dojo").exists()
    katas = Catalog(inside)
    assert all(stubs.read(kata.file) == stubs.stub_of(kata) for kata in katas.katas)
    assert "Not committed" not in katas.find("5").text and any("What is not committed" in line for line in said)
    remote = subprocess.run(["git", "remote", "get-url", "origin"], cwd=inside, capture_output=True, text=True).stdout
    assert remote.startswith("https://")
    served = json.loads((bundle.folder / "bundle.json").read_text())["served"]
    assert OURS in served[SYSTEM] and "3.12" in served["windows"]
    page = (bundle.folder / "START-HERE.html").read_text(encoding="utf-8")
    assert f"{PLATFORMS[SYSTEM].title}: Python {OURS}" in page and "Windows: Python 3.12" in page
    assert "http" not in page.replace("https://www.python.org/downloads", "")
    assert r".venv\Scripts\python -m dojo" in page  # for whoever has no make, and for no system that is not served
    assert (".venv/bin/python -m dojo" in page) == (SYSTEM != "windows")
    assert (
        b"\r\n" in (bundle.folder / "start.bat").read_bytes() and b"\r" not in (bundle.folder / "start.sh").read_bytes()
    )


def test_made_again_it_fetches_only_what_is_new(made):
    bundle, said = made
    index = Index()
    (bundle.folder / "gpt-katas" / "old.txt").write_text("gone by then")
    Bundle(bundle.root, bundle.folder, said.append).make([Target(PLATFORMS["windows"], "3.12")], [], [], index)
    assert index.asked == [] and not (bundle.folder / "gpt-katas" / "old.txt").exists()


def test_what_is_missing_is_said_and_the_target_is_not_served(clone, tmp_path):
    said = []
    bundle = Bundle(clone, tmp_path / "stick", said.append)
    targets = [Target(PLATFORMS[name], "3.12") for name in ("linux", "windows")]
    bundle.make(targets, [], [], Index("torch==2.13.0+cpu"))
    assert len(bundle.lacking) == 1 and said[2].startswith("MISSING torch==2.13.0+cpu cannot be had for Linux")
    assert list(json.loads((bundle.folder / "bundle.json").read_text())["served"]) == ["windows"]


def test_texts_are_checked_and_come_from_the_stick_of_another(clone, tmp_path, monkeypatch):
    monkeypatch.setenv("DOJO_MIRROR", str(tmp_path))
    monkeypatch.setattr(bundles, "locate", lambda source: (_ for _ in ()).throw(bundles.DataError("none here")))
    (tmp_path / "vocab.bpe").write_bytes(b"something else")
    bundle = Bundle(clone, tmp_path / "stick", lambda line: None)
    bundle.make([], ["vocab.bpe"], [], Index())
    assert len(bundle.lacking) == 1 and "vocab.bpe is not the file" in bundle.lacking[0]
    assert list((bundle.folder / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("data", "weights", "said"), [(["nothing.txt"], [], "no text nothing.txt"), ([], ["gpt9"], "no weights gpt9")]
)
def test_what_there_is_not_is_refused(clone, tmp_path, data, weights, said):
    with pytest.raises(BundleError, match=said):
        Bundle(clone, tmp_path / "stick", lambda line: None).make([], data, weights, Index())
    assert not (tmp_path / "stick").exists()


def test_a_folder_that_holds_other_things_is_left_alone(clone, tmp_path):
    (tmp_path / "thesis.tex").write_text("my only copy")
    for folder, said in ((tmp_path, "thesis.tex"), (clone, "holds this clone"), (tmp_path / "thesis.tex", "is a file")):
        with pytest.raises(BundleError, match=said):
            Bundle(clone, folder, lambda line: None).make([], [], [], Index())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_outside_of_a_clone_there_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="clone of the repository"):
        Bundle(tmp_path, tmp_path / "stick", lambda line: None).make([], [], [], Index())


def test_without_a_network_it_is_said(clone, tmp_path):
    with pytest.raises(BundleError, match="with a network"):
        Bundle(clone, tmp_path / "stick", lambda line: None).make(
            [Target(PLATFORMS["windows"], "3.12")], [], [], Index("*")
        )


@pytest.mark.parametrize("words", [["--platforms", "amiga"], ["--pythons", "2.7"]])
def test_systems_that_are_unknown_are_refused(tmp_path, words):
    done = CliRunner().invoke(app, ["bundle", str(tmp_path / "stick"), *words])
    assert done.exit_code == 2 and "There is nothing for" in done.stderr


# The script in it.


def started(bundle, *words, home):
    """What `sh start.sh` does; it fails at the wheels, which are none."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HOME": str(home)}
    command = [sys.executable, str(bundle.folder / "start.py"), *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_python_that_is_not_served_is_said(made, tmp_path):
    bundle, _ = made
    (bundle.folder / "bundle.json").write_text(json.dumps({"served": {SYSTEM: ["3.9"]}}))
    done = started(bundle, home=tmp_path)
    assert done.returncode == 1 and f"This is Python {OURS}; this folder serves Python 3.9" in done.stdout
    assert started(bundle, "--serves", home=tmp_path).returncode == 1
    (bundle.folder / "bundle.json").write_text(json.dumps({"served": {}}))
    assert "nothing for" in started(bundle, home=tmp_path).stdout


def test_a_folder_that_was_half_copied_is_said(made, tmp_path):
    bundle, _ = made
    (bundle.folder / "bundle.json").unlink()
    done = started(bundle, home=tmp_path)
    assert done.returncode == 1 and "not whole" in done.stdout and "Traceback" not in done.stderr


def test_a_target_that_is_something_else_is_left_alone(made, tmp_path):
    bundle, _ = made
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("my only copy")
    done = started(bundle, other, home=tmp_path)
    assert done.returncode == 1 and "is something else" in done.stdout
    assert "There is no folder" in started(bundle, tmp_path / "no" / "where", home=tmp_path).stdout


def test_what_was_written_outlives_setting_up_anew(made, tmp_path):
    bundle, _ = made
    done = started(bundle, tmp_path / "mine", home=tmp_path)
    assert done.returncode == 1 and "Show whoever leads the workshop" in done.stdout  # the wheels are made up
    file = Catalog(tmp_path / "mine").find("5").file
    assert stubs.read(file) == stubs.stub_of(Catalog(tmp_path / "mine").find("5"))
    file.write_text("mine", encoding="utf-8")
    started(bundle, tmp_path / "mine", home=tmp_path)
    assert file.read_text(encoding="utf-8") == "mine"


def test_an_old_python_can_read_the_script():
    compile((ROOT / "dojo" / "workshop" / "start.py").read_text(encoding="utf-8"), "start.py", "exec")
    import ast

    ast.parse((ROOT / "dojo" / "workshop" / "start.py").read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.skipif(not MADE, reason="DOJO_BUNDLE names no bundle to try")
def test_a_bundle_sets_up_with_no_network(tmp_path):
    """In a network namespace without interfaces and an empty home; then a verdict."""
    hidden = ("PYTHONPATH", "DOJO_ROOT", "DOJO_DOOR", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden and "PIP_" not in name}
    environment["HOME"] = str(tmp_path)
    begun = time.monotonic()
    done = subprocess.run(
        ["unshare", "-rn", "sh", str(Path(MADE, "start.sh"))],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    print(f"set up, and a verdict, in {time.monotonic() - begun:.0f} s")
    assert done.returncode == 0 and "Step 1 is not started" in done.stdout, done.stdout + done.stderr
    clone = tmp_path / "gpt-katas"
    kata = Catalog(clone).find("1")
    shutil.copy(kata.solution, kata.file)
    words = ["unshare", "-rn", str(clone / ".venv" / "bin" / "python"), "-m", "dojo", "test", "1"]
    done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True)
    assert "Passed" in done.stdout, done.stdout + done.stderr
