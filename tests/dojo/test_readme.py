"""What the README shows is what happens, and what the lessons compute is what they say."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys

import pytest

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.spec.suite import load_suite

from .trees import MAKE, ROOT, copy_tree

README = (ROOT / "README.md").read_text(encoding="utf-8")
TRANSCRIPT = re.search(r"```console\n(.*?)```", README, re.DOTALL)
SHOWN = "scaled by the input width"
KATAS = [pytest.param(kata, id=kata.code) for kata in Catalog(ROOT).katas]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_tree(tmp_path_factory.mktemp("clone"))


def make(tree, *words):
    """Run make with this interpreter, as a terminal 104 columns wide would show it."""
    if not MAKE:
        pytest.skip("there is no make")
    environment = os.environ | {"COLUMNS": "104", "DOJO_ROOT": str(tree)}
    command = ["make", "--no-print-directory", f"PY={sys.executable}", *words]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, encoding="utf-8")


def assert_shown(shown, output):
    """Every line shown stands in the output, in this order; "…" stands for any lines, times may differ."""
    printed = [untimed(line.rstrip()) for line in output.splitlines()]
    at = 0
    for line in shown:
        if line != "…":
            assert untimed(line) in printed[at:], f"{line!r} is not printed (any more):\n{output}"
            at = printed.index(untimed(line), at) + 1


def untimed(line):
    return re.sub(r"in \d+\.\d\d s", "in … s", line)


def test_readme_shows_a_failing_and_a_passing_verdict(tree):
    parts = TRANSCRIPT.group(1).split("$ make test KATA=5")
    kata = Catalog(tree).find("5")
    wrong = next(one for one in load_suite(kata).mistakes if one.name == SHOWN)
    solution = kata.solution.read_text(encoding="utf-8")
    for text, shown, status in ((wrong.apply(solution), parts[1], 2), (solution, parts[2], 0)):
        kata.file.write_text(plain(text), encoding="utf-8")
        done = make(tree, "test", "KATA=5")
        assert done.returncode == status  # make's own status for a command that failed is 2
        assert_shown(shown.splitlines()[1:], done.stdout)


def plain(text):
    return "\n".join(line for line in text.splitlines() if not (stubs.OPEN.match(line) or stubs.CLOSE.match(line)))


def test_readme_says_it_all_in_thirty_lines():
    assert README[: TRANSCRIPT.end()].count("\n") < 30


def test_the_first_screen_names_what_sets_up_and_what_judges():
    assert re.findall(r"^\$ (make \w+)", TRANSCRIPT.group(1), re.MULTILINE)[:3] == [
        "make start",
        "make check",
        "make test",
    ]


@pytest.mark.parametrize(
    "page",
    [
        *("README.md", "WORKSHOP.md", "SEVERAL_MACHINES.md", "CONTRIBUTING.md"),
        *("dojo/README.md", "tests/verdicts/README.md"),
    ],
)
def test_what_a_page_names_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    named = re.findall(r"`((?:dojo|tests|data|notebooks)/[\w./-]+)`", text)
    folder = (ROOT / page).parent
    assert linked + named
    missing = [name for name in linked if not (folder / name).exists()] + [n for n in named if not (ROOT / n).exists()]
    assert [name for name in missing if not re.search(r"k20_x|kNN", name)] == []


def test_start_ends_by_saying_what_to_open_and_what_to_type(tree):
    done = make(tree, "start")
    last = done.stdout.splitlines()[-3:]
    assert [line.split()[-1] for line in last[:2]] == ["katas/k01_tokens/README.md", "katas/k01_tokens/tokens.py"]
    assert last[2].endswith("make test KATA=1, or each time you save: make watch")
    assert done.returncode == 0


def test_every_command_of_the_readme_is_a_target():
    commands = set(re.findall(r"`make ?(\w*)", README)) - {""}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert commands and commands <= targets


def test_readme_lists_every_kata():
    listed = [re.findall(r"\(katas/(k\d+_\w+)/README.md\)", part) for part in README.split("### Black belt")]
    catalog = Catalog(ROOT)
    assert listed == [[kata.slug for kata in katas] for katas in (catalog.required, catalog.optional)]


@pytest.mark.parametrize("kata", KATAS)
def test_lesson_computes_what_it_says(kata):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, tried = doctest.testfile(str(kata.lesson), module_relative=False, optionflags=flags, verbose=False)
    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize("kata", KATAS)
def test_lesson_does_not_hold_its_solution(kata):
    """No line of the solution that is long enough to be an answer stands in the lesson before the hints."""
    lesson = kata.text.split("## Hints")[0]
    inside = False
    for line in kata.solution.read_text(encoding="utf-8").splitlines():
        if stubs.OPEN.match(line) or stubs.CLOSE.match(line):
            inside = bool(stubs.OPEN.match(line))
        elif inside and len(line.split("  #")[0].strip()) > 30:
            assert line.split("  #")[0].strip() not in lesson
