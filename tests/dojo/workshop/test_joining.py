"""A learner who joins a room from `make watch`, in a real terminal."""

from __future__ import annotations

import os

import pytest

from ..learners import swapped
from ..trees import copy_tree
from .rooms import Served, free_port, until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo-terminal")
KEYS = "q quit"


@pytest.fixture
def served(tmp_path):
    opened = Served(copy_tree(tmp_path / "leader", only=("k04", "k05")))
    yield opened
    opened.kill()


def test_the_story_of_a_learner_in_a_room(tree, served, open_terminal):
    """Give a name, be wrong, take a hint, show the file and hide it, lose the room and get it back, leave it."""
    k05 = tree.find("5")
    terminal = open_terminal("watch", "5", "--room", f"127.0.0.1:{served.port}", "--code", served.code.lower())
    terminal.wait("want to be called in the room")
    terminal.press("Ada\r")
    terminal.wait(
        "Step 1 is not started", f"In the room 127.0.0.1:{served.port} you are Ada", "c show the room your code"
    )
    wrong = swapped("key.shape[-1] ** 0.5", "x.shape[-1] ** 0.5")
    k05.file.write_text(wrong, encoding="utf-8")
    terminal.wait("scaled by the input width", KEYS)
    row = until(lambda: (row := served.row("Ada")) and row["mistakes"] and row)
    assert row["mistakes"] == ["scaled by the input width"] and (row["step"], row["tries"], row["hints"]) == (4, 1, 0)
    assert row["sentence"] and not row["shown"]
    terminal.press("h")
    until(lambda: served.row("Ada")["hints"] == 1)

    terminal.press("c")
    terminal.wait("can read your file now", "c hide your code")
    until(lambda: served.row("Ada")["shown"])
    assert served.ask("GET", "/code/1", **served.cookie)[2] == wrong
    terminal.press("c")
    terminal.wait("Your code is hidden", "c show the room your code")
    until(lambda: not served.row("Ada")["shown"])

    served.kill()
    terminal.wait("does not answer. You lose nothing")
    k05.file.write_text(k05.solution.read_text(encoding="utf-8"), encoding="utf-8")
    terminal.wait("Passed", KEYS)  # the room is not there, and nobody notices
    served.open()
    terminal.wait("you are Ada")
    until(lambda: served.row("Ada")["verdict"] == "passed")
    assert {kata["code"]: kata["through"] for kata in served.view()["katas"]} == {"k04": 0, "k05": 1}

    terminal.press("v")
    terminal.wait("You left the room", without="leave the room")
    until(lambda: served.row("Ada")["left"])
    terminal.press("q")
    assert terminal.ended() == 0


def test_who_quits_leaves_the_room(tree, served, open_terminal):
    terminal = open_terminal("watch", "5", "--room", f"127.0.0.1:{served.port}", "--code", served.code, "--name", "Bo")
    terminal.wait("you are Bo", "Step 1 is not started", KEYS)
    terminal.press("q")
    assert terminal.ended() == 0
    until(lambda: served.row("Bo")["left"])


def test_a_wrong_code_is_said_and_watching_goes_on(tree, served, open_terminal):
    code = served.code[1:] + ("A" if served.code[0] != "A" else "B")
    if code == served.code:
        code = code[::-1]
    terminal = open_terminal("watch", "5", "--room", f"127.0.0.1:{served.port}", "--code", code, "--name", "Bo")
    terminal.wait(
        "not the code of this room. You work on without the room.", "Step 1 is not started", without="v leave"
    )
    tree.find("5").file.write_text("broken(", encoding="utf-8")
    terminal.wait("Python cannot read your file", KEYS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--room", "127.0.0.1"], "has an address and a code"),
        (["--code", "ABCDEF"], "has an address and a code"),
        (["--room", "127.0.0.1", "--code", "AB", "--name", "Bo"], "6 letters"),
        (["--room", "http://", "--code", "ABCDEF", "--name", "Bo"], "no address of a room"),
        (["--room", "127.0.0.1", "--code", "ABCDEF"], "called in the room"),
    ],
)
def test_what_cannot_be_joined_is_said_at_once(clone, words, said):
    done = clone.verb("watch", *words)
    assert done.exit_code == 2 and said in done.stderr


def test_without_a_terminal_the_room_is_a_line(clone, served):
    import subprocess
    import sys

    environment = os.environ | {"DOJO_ROOT": str(clone.renew().root), "PYTHONUNBUFFERED": "1"}
    where = ["--room", f"127.0.0.1:{free_port()}", "--code", served.code, "--name", "Bo"]
    process = subprocess.Popen([sys.executable, "-m", "dojo", "watch", "5", *where], env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert "does not answer" in process.stderr.readline()
    process.terminate()
    process.communicate()
