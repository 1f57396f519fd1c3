"""The learner's loop, driven in a real terminal: what is typed, what is saved, and what is on the screen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog

from ..learners import MASK, swapped
from ..trees import copy_tree

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo-terminal")
KEYS = "q quit"
TINY_RACE = """
from dojo.bench.timing import Race, Racer
def races(kata, reference):
    yield Race(f"a tiny race, learner {kata is not None}", [Racer("int", int), Racer("float", float)], work=1)
"""
LOOP = swapped(MASK, "while True: pass")


@pytest.fixture(scope="module")
def sitting(tmp_path_factory):
    """A tree and `watch 5` on it, which go on from one test to the next."""
    from ..terminals import Terminal

    catalog = Catalog(copy_tree(tmp_path_factory.mktemp("sitting") / "clone", only=("k04", "k05")))
    terminal = Terminal(catalog.root, "watch", "5")
    yield catalog, terminal
    terminal.kill()


@pytest.fixture
def watching(sitting):
    """A terminal in which k05 is watched, a stub as yet, whatever other tests did there; and that kata."""
    catalog, terminal = sitting
    k05 = catalog.find("5")
    terminal.written = b""
    if stubs.read(k05.file) != stubs.stub_of(k05):
        save(k05, stubs.stub_of(k05))
    terminal.wait("Step 1 is not started", KEYS)
    return terminal, k05


def save(kata, text):
    kata.file.write_text(text, encoding="utf-8")


def solution(kata):
    return kata.solution.read_text(encoding="utf-8")


def children_of(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in listed.split()]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_story_of_a_learner(tree, open_terminal):
    """Start, be wrong, be told what it is, take hints, solve it, go on, break it, reset it, find the backup, leave."""
    k04, k05 = tree.katas
    save(k04, solution(k04))
    terminal = open_terminal("start")
    terminal.wait("Passed", KEYS)
    terminal.press("n")
    terminal.wait("Step 1 is not started", "katas/k05_causal_attention/README.md", KEYS)

    wrong = swapped("key.shape[-1] ** 0.5", "x.shape[-1] ** 0.5")
    save(k05, wrong)
    terminal.wait("scaled by the input width", KEYS)
    terminal.press("h")
    terminal.wait("A question", "2 more: h")
    terminal.press("h")
    terminal.wait("A direction", "1 more: h")

    save(k05, solution(k05))
    terminal.wait("Passed", k05.takeaway[:40], KEYS, without="uses the reference")
    terminal.press("n")
    terminal.wait("k05 is the last one")
    save(k04, "broken(")
    terminal.wait("Python cannot read your file", KEYS)
    terminal.press("l")
    terminal.wait("GPT katas: 1 of 2 solved", "k04", "since")
    terminal.press("x")
    terminal.wait("y or n")
    terminal.press("n")
    terminal.wait(KEYS, without="y or n")
    assert k04.file.read_text(encoding="utf-8") == "broken("
    terminal.press("x")
    terminal.wait("y or n")
    terminal.press("y")
    terminal.wait("Step 1 is not started", KEYS)
    assert k04.file.read_text(encoding="utf-8") == stubs.stub_of(k04)
    assert [path.read_text() for path in (tree.root / ".dojo" / "backups").iterdir()] == ["broken("]
    terminal.press("q")
    assert terminal.ended() == 0
    assert terminal.echoes


def test_the_solution_is_shown_after_a_question_or_freely_once_solved(watching):
    terminal, k05 = watching
    terminal.press("s")
    terminal.wait("y or n")
    assert "torch.triu" not in terminal.text
    terminal.press("y")
    terminal.wait("register_buffer")
    save(k05, solution(k05))
    terminal.wait("Passed", KEYS)
    terminal.press("s")
    terminal.wait("register_buffer", without="y or n")


def test_a_hint_is_offered_after_several_tries_at_the_same_claim(tree, open_terminal):
    k05 = tree.find("5")
    terminal = open_terminal("watch", "5")
    terminal.wait("not started", KEYS)
    masks = {"nothing is hidden": "zeros({0}, {0}, ", "the past is hidden": "ones({0}, {0}, "}
    offered = []
    for name, mask in list(masks.items()) * 2:
        mask = f"torch.{mask.format('tokens')}dtype=torch.bool)"
        save(k05, swapped(MASK, f"return torch.tril({mask}, diagonal=-1)"))
        terminal.wait(name, KEYS)
        offered.append("A hint may help" in terminal.text)
    assert offered == [False, False, True, False]


def test_a_key_is_answered_and_a_save_takes_over_while_code_runs_for_ever(watching):
    terminal, k05 = watching
    save(k05, LOOP)
    terminal.wait("Judging")
    terminal.press("l")
    assert "Judging" in terminal.wait("GPT katas: 0 of 2")
    save(k05, solution(k05))
    terminal.wait("Passed", KEYS)
    assert "did not come to an end" not in terminal.text and "endless" not in terminal.written.decode()


def test_b_races_a_kata_beside_the_keys_and_a_second_b_or_a_save_ends_it(tree, open_terminal):
    k04, k05 = tree.katas
    k04.races.unlink()
    k05.races.write_text("import time\ntime.sleep(99)")
    terminal = open_terminal("watch", "5")
    terminal.wait("not started", "r run again · b", KEYS)

    def race():
        terminal.press("b")
        terminal.wait("Racing", "k05 is not solved yet")
        terminal.press("l")
        terminal.wait("GPT katas: 0 of 2", KEYS)

    race()
    terminal.press("b")
    terminal.wait("The race was ended.", KEYS)
    race()
    save(k05, solution(k05))
    terminal.wait("Passed", KEYS)
    k05.races.write_text(TINY_RACE)
    terminal.press("b")
    terminal.wait("Racing", without="k05 is not solved yet")
    terminal.wait("a tiny race, learner True", "calls/s", "Results: runs/bench", KEYS)
    terminal.press("p")
    terminal.wait("k04 · Self-attention", KEYS, without="r run again · b")
    terminal.press("b")
    terminal.wait("k04 has nothing to race", KEYS)


def test_editors_that_rename_or_save_in_pieces_do_not_confuse_it(watching):
    terminal, k05 = watching
    half = solution(k05)[:700]
    save(k05, half)
    new = k05.file.with_suffix(".py~")
    new.write_text(solution(k05), encoding="utf-8")
    os.replace(new, k05.file)
    terminal.wait("Passed", KEYS)
    k05.file.unlink()
    save(k05, stubs.stub_of(k05))
    terminal.wait("not started", KEYS)


def test_a_folder_that_goes_and_comes_back(watching):
    terminal, k05 = watching
    shutil.move(k05.root / "katas", k05.root / "elsewhere")
    terminal.press("r")
    terminal.wait("Your file is gone", KEYS)
    shutil.move(k05.root / "elsewhere", k05.root / "katas")
    save(k05, solution(k05))
    terminal.wait("Passed", KEYS)


def test_progress_that_cannot_be_written_is_said_on_the_screen(tree, open_terminal):
    (tree.root / ".dojo").write_text("in the way")
    terminal = open_terminal("watch", "5")
    terminal.wait("could not be written", KEYS)


def test_a_terminal_of_40_by_10_still_shows_the_end_and_the_keys(watching):
    terminal, _ = watching
    terminal.resize(40, 10)
    terminal.wait("Read the lesson:", KEYS)
    assert all(len(line) <= 40 for line in terminal.text.splitlines())
    terminal.resize(100, 50)


def test_without_colour_there_is_none(tree, open_terminal):
    terminal = open_terminal("watch", "5", NO_COLOR="1")
    terminal.wait("not started", KEYS)
    assert b"\x1b[3" not in terminal.written


@pytest.mark.parametrize(("name", "busy"), [("SIGINT", True), ("SIGTERM", True), ("SIGHUP", False)])
def test_a_signal_leaves_the_terminal_and_the_file_as_they_were(tree, open_terminal, name, busy):
    k05 = tree.find("5")
    terminal = open_terminal("watch", "5")
    terminal.wait("not started", KEYS)
    assert not terminal.echoes
    written = LOOP if busy else solution(k05)
    save(k05, written)
    terminal.wait("Judging") if busy else terminal.wait("Passed")
    children = children_of(terminal.pid)
    assert children
    number = getattr(signal, name)
    os.kill(terminal.pid, number)
    assert terminal.ended() == 128 + number
    assert terminal.echoes
    assert not any(alive(child) for child in children)
    assert k05.file.read_text(encoding="utf-8") == written


def test_without_a_terminal_verdicts_are_printed_one_after_the_other(tree):
    k05 = tree.find("5")
    command = [sys.executable, "-m", "dojo", "watch", "5"]
    environment = os.environ | {"DOJO_ROOT": str(tree.root), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    with subprocess.Popen(command, env=environment, cwd=tree.root, **pipes) as process:
        lines = iter(process.stdout.readline, "")
        assert any("not started" in line for line in lines)
        save(k05, solution(k05))
        assert any("Passed" in line for line in lines)
        process.terminate()
        rest = process.stdout.read()
    assert KEYS not in rest and "\x1b" not in rest
    assert process.returncode == 128 + signal.SIGTERM


def test_without_a_terminal_trouble_is_said_beside_the_verdicts(tree):
    (tree.root / ".dojo").write_text("in the way")
    command = [sys.executable, "-m", "dojo", "watch", "5"]
    environment = os.environ | {"DOJO_ROOT": str(tree.root), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, cwd=tree.root, encoding="utf-8", **pipes) as process:
        assert any("not started" in line for line in iter(process.stdout.readline, ""))
        process.terminate()
        _, said = process.communicate()
    assert "could not be written" in " ".join(said.split())
