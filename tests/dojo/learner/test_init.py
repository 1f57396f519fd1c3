"""The package, built and unpacked, writes a learner's tree that is as good as a clone."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog

from ..trees import MAKE, ROOT


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder in which the package is installed."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    folder = tmp_path_factory.mktemp("package")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("gpt_katas-*.whl")
    installed = folder / "site-packages"
    zipfile.ZipFile(wheel).extractall(installed)
    return installed


def dojo(package, folder, *words, status=0):
    """What `dojo WORDS` prints in a folder, run from the installed package."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DOJO_")} | {"PYTHONPATH": str(package)}
    command = [sys.executable, "-P"] if sys.version_info >= (3, 11) else [sys.executable]
    done = subprocess.run(
        [*command, "-m", "dojo", *words], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def tree(package, tmp_path):
    dojo(package, tmp_path, "init", "mine")
    return tmp_path / "mine"


def test_an_empty_folder_becomes_as_good_as_a_clone(package, tree):
    assert git(tree, "status", "--porcelain") == ""
    katas = Catalog(tree).katas
    assert [kata.slug for kata in katas] == [kata.slug for kata in Catalog(ROOT).katas]
    assert all(stubs.untouched(kata.file.read_text("utf-8")) for kata in katas)
    kata = Catalog(tree).find("k05")
    kata.file.write_text(kata.solution.read_text("utf-8").replace("** 0.5", "** 1.0"), encoding="utf-8")
    said = dojo(package, tree, "test", "5", status=1)
    assert "Expected:" in said and "Next: mend it" in said
    shutil.copy(kata.solution, kata.file)
    assert "Passed" in dojo(package, tree, "test", "5")
    assert "1 of" in dojo(package, tree)
    assert "the newest version already" in dojo(package, tree, "update")


def test_a_newer_package_comes_by_update_and_work_stays(package, tree, tmp_path):
    newer = tmp_path / "newer"
    shutil.copytree(package, newer)
    init = newer / "dojo" / "__init__.py"
    init.write_text(init.read_text("utf-8").replace("__version__ = ", '__version__ = "99" #'), encoding="utf-8")
    log = newer / "dojo" / "tree" / "CHANGELOG.md"
    log.write_text("# Changes\n\n## 99\n\nIt writes sonnets.\n", encoding="utf-8")
    kata = Catalog(tree).find("k04")
    kata.file.write_text("# mine\n", encoding="utf-8")
    dojo(newer, tree, "update")
    assert kata.file.read_text("utf-8") == "# mine\n"
    assert "It writes sonnets." in (tree / "CHANGELOG.md").read_text("utf-8")
    assert git(tree, "log", "-1", "--format=%s") == "Version 99"


@pytest.mark.parametrize("what", ["file", "folder", "hidden"])
def test_what_is_there_is_named_and_left_alone(package, tmp_path, what):
    target = tmp_path / "mine"
    if what == "file":
        target.write_text("a letter")
    else:
        target.mkdir()
        (target / {"folder": "letter.txt", "hidden": ".letter"}[what]).write_text("a letter")
    before = sorted(map(str, tmp_path.rglob("*")))
    said = dojo(package, tmp_path, "init", "mine", status=1)
    assert "Nothing was changed" in " ".join(said.split()) and ("letter" in said or what == "file")
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_an_empty_folder_that_is_there_will_do(package, tmp_path):
    dojo(package, tmp_path, "init", ".", status=0)
    assert (tmp_path / "katas").is_dir()


def test_a_clone_says_that_it_is_one(tmp_path):
    assert "clone of the repository" in " ".join(dojo(ROOT, tmp_path, "init", "mine", status=1).split())


def test_where_no_katas_are_it_says_what_to_type(package, tmp_path):
    said = dojo(package, tmp_path, status=2)
    assert said == "There are no katas here. Go to the folder that has them, or make one: dojo init FOLDER\n"


def test_make_uses_the_python_of_the_package(tree):
    if not MAKE:
        pytest.skip("there is no make")
    dry = subprocess.run(["make", "-n", "test", "KATA=5"], cwd=tree, capture_output=True, text=True, check=True).stdout
    assert dry.startswith(str(Path(sys.executable)))
