"""Where no process can be forked, a started one gives each verdict; here all processes lack what Windows lacks."""

import os

import pytest

from dojo.judge import spawn_server
from dojo.judge.client import Judge
from dojo.judge.messages import Request
from dojo.judge.request_queue import CANCELLED
from dojo.judge.spawn_server import SpawnedWorker

from ..learners import K05, STEP_1, body
from ..trees import ROOT

LACKING = str(ROOT / "tests" / "dojo" / "without_posix")


@pytest.fixture(autouse=True)
def without_posix(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", LACKING)
    monkeypatch.setenv("PYTHONUTF8", "0")
    for name in ("fork", "killpg"):
        monkeypatch.delattr(os, name, raising=False)


@pytest.fixture
def saves(tmp_path):
    """Save a file and have it judged by a process that was started for it."""
    folder = tmp_path / "a folder with späces"
    folder.mkdir()
    file = folder / "causal_attention.py"

    def save(text, cancelled=lambda: False):
        file.write_text(text, encoding="utf-8")
        return SpawnedWorker().judge(Request(str(ROOT), K05.slug, [], str(file)), cancelled)

    return save


def mask(*lines):
    return body("causal_mask", *lines, text=STEP_1)


def test_a_verdict_is_the_same_as_elsewhere_whatever_the_code_prints_and_reads(saves):
    printing = "import os, sys; print('é', '✓'); os.write(1, b'{}' + bytes([10])); print(sys.stdin.read())\n"
    verdict = saves(printing + STEP_1)
    assert verdict.verdict == "not_started" and verdict.step == 2, verdict.message
    assert verdict.output.split() == ["{}", "é", "✓"] or verdict.output.split() == ["é", "✓", "{}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (mask("import os; os._exit(3)"), "ended the program before there was a verdict"),
        (mask("raise SystemExit"), "ends the program (sys.exit?)"),
        ("import ctypes; ctypes.string_at(0)\n" + STEP_1, "crashed Python itself"),
        ("while True: print('x' * 9999)\n", "prints without end"),
    ],
    ids=["ends the process", "raises SystemExit", "crashes", "prints without end"],
)
def test_code_that_hands_no_verdict_in_is_named_all_the_same(saves, text, problem):
    verdict = saves(text)
    assert verdict.verdict in ("error", "failed") and problem in verdict.message, verdict


def test_code_that_does_not_end_is_ended_from_outside(saves, monkeypatch):
    monkeypatch.setattr(spawn_server, "SILENCE", 2.0)
    verdict = saves(mask("while True: pass"))
    assert verdict.verdict == "error" and "endless loop" in verdict.message
    assert verdict.step == 1


def test_a_verdict_that_is_not_wanted_any_more_is_given_up(saves):
    assert saves("while True: pass", cancelled=lambda: True).message == CANCELLED


def test_the_server_answers_the_latest_question_and_goes_on(tmp_path):
    endless, right = tmp_path / "endless.py", tmp_path / "right.py"
    endless.write_text("while True: pass", encoding="utf-8")
    right.write_text(STEP_1, encoding="utf-8")
    with Judge(ROOT) as judge:
        judge.ask(K05, path=endless)
        judge.ask(K05, path=right)
        assert judge.answer().message == CANCELLED
        assert judge.answer().verdict == "not_started"
