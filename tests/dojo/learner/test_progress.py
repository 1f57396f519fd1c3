"""What is solved is written down whole or not at all, and a damaged record costs nothing but itself."""

import json
import subprocess
import sys

import pytest

from dojo.curriculum.catalog import Kata
from dojo.judge.verdict import StepResult, Verdict
from dojo.learner import store as records
from dojo.learner.progress import Progress

from ..trees import ROOT


@pytest.fixture
def kata(tmp_path):
    kata = Kata(tmp_path, "k01_tokens")
    kata.file.parent.mkdir(parents=True)
    kata.file.write_text("answer = 42\n")
    return kata


@pytest.fixture
def record(tmp_path):
    (tmp_path / ".dojo").mkdir()
    return tmp_path / ".dojo" / "progress.json"


def note(progress, kata, verdict, step=None, failing="", steps=(), judged=None):
    """Note a verdict on a kata: at which step it stopped, the claim that fails, each step's status, the file's hash."""
    results = [StepResult(at, "", [], status) for at, status in enumerate(steps, 1)]
    progress.note(kata, Verdict(kata.code, verdict, step, property=failing, steps=results, fingerprint=judged))


def test_nothing_is_solved_at_first(kata, tmp_path):
    progress = Progress.load(tmp_path)
    assert progress.katas == {} and progress.status(kata) == "untouched"
    assert not (tmp_path / ".dojo").exists()


@pytest.mark.parametrize(
    ("verdict", "step", "status", "attempts"),
    [
        ("passed", None, "solved", 1),
        ("failed", 1, "started", 1),
        ("error", None, "started", 1),
        ("not_started", 1, "untouched", 0),
        ("not_started", 2, "started", 1),
    ],
)
def test_a_verdict_decides_what_the_board_shows(kata, tmp_path, verdict, step, status, attempts):
    progress = Progress.load(tmp_path)
    note(progress, kata, verdict, step)
    progress.save()
    again = Progress.load(tmp_path)
    assert again.status(kata) == status and again.attempts(kata) == attempts and again.step(kata) == step


def test_a_solved_kata_is_changed_when_its_file_is_and_broken_when_that_fails(kata, tmp_path):
    progress = Progress.load(tmp_path)
    note(progress, kata, "passed", None)
    kata.file.write_text("answer = 43\n")
    assert progress.status(kata) == "changed"
    note(progress, kata, "failed", 1)
    assert progress.status(kata) == "broken"
    kata.file.write_text("answer = 44\n")
    assert progress.status(kata) == "changed"
    kata.file.write_text("answer = 42\n")
    assert progress.status(kata) == "solved"
    kata.file.unlink()
    assert progress.status(kata) == "changed"


def test_a_file_that_passed_and_fails_now_is_broken_for_good(kata, tmp_path):
    """As when the tests became stricter: what the latest verdict said of this very content counts."""
    progress = Progress.load(tmp_path)
    note(progress, kata, "passed", None)
    note(progress, kata, "failed", 1)
    assert progress.status(kata) == "broken"
    kata.file.write_text("answer = 43\n")
    note(progress, kata, "failed", 1)
    kata.file.write_text("answer = 42\n")
    assert progress.status(kata) == "changed"


def test_a_stub_brought_back_after_a_pass_is_not_broken(kata, tmp_path):
    progress = Progress.load(tmp_path)
    note(progress, kata, "passed", None)
    kata.file.write_text("raise NotImplementedError('step 1')\n")
    note(progress, kata, "not_started", 1)
    assert progress.status(kata) == "changed"


def test_tries_counts_different_files_that_fail_the_same_claim_in_a_row(kata, tmp_path):
    progress = Progress.load(tmp_path)

    def tries(text, verdict, failing):
        kata.file.write_text(text)
        note(progress, kata, verdict, 1, failing=failing)
        return progress.tries(kata)

    assert tries("stub", "not_started", "test_mask") == 0
    assert tries("one", "failed", "test_mask") == 1
    assert tries("one", "failed", "test_mask") == 1  # run again, nothing was tried
    assert tries("two", "failed", "test_mask") == 2
    assert tries("half a li", "error", "") == 2  # a file that cannot be read reaches no claim
    assert tries("three", "refused", "test_mask") == 3
    assert tries("four", "failed", "test_softmax") == 1
    assert tries("five", "failed", "test_mask") == 1
    assert tries("six", "passed", "") == 0
    assert tries("seven", "failed", "test_mask") == 1


def test_the_status_of_each_step_is_kept_and_one_that_passed_before_is_broken(kata, tmp_path):
    progress = Progress.load(tmp_path)

    def steps(*statuses):
        note(progress, kata, "failed", 2, steps=statuses)
        return list(progress.katas[kata.slug]["steps"].values())

    assert steps("passed", "failed", "not_reached") == ["passed", "failed", "not_reached"]
    assert steps("passed", "passed", "not_started") == ["passed", "passed", "not_started"]
    assert steps("passed", "failed", "not_reached") == ["passed", "broken", "not_started"]
    assert steps("not_reached", "not_reached", "not_reached") == ["passed", "broken", "not_started"]
    assert steps("passed", "failed", "not_reached") == ["passed", "broken", "not_started"]
    assert steps("passed", "passed", "passed") == ["passed"] * 3


def test_a_file_that_cannot_be_imported_does_not_lose_the_step(kata, tmp_path):
    progress = Progress.load(tmp_path)
    note(progress, kata, "failed", 3)
    note(progress, kata, "error", None)
    assert progress.step(kata) == 3
    note(progress, kata, "passed", None)
    assert progress.step(kata) is None


DAMAGED = {
    "cut off": '{"version": 2, "katas": {"k01_to',
    "empty": "",
    "not UTF-8": b"\xff\xfe{}",
    "another form": "[1, 2]",
    "no katas": '{"version": 2}',
    "no version": '{"katas": {}}',
    "of version 1, which is read no more": '{"version": 1, "katas": {"k01_tokens": {"attempts": 3, "last": "passed"}}}',
    "a time that is none": '{"version": 2, "katas": {"k01_tokens": {"solved_at": "yesterday"}}}',
    "attempts in the old form": '{"version": 2, "katas": {"k01_tokens": {"attempts": 3}}}',
    "steps that are no record": '{"version": 2, "katas": {"k01_tokens": {"steps": [1]}}}',
    "katas that are no records": '{"version": 2, "katas": {"k01_tokens": 7}}',
    "attempts that are no number": '{"version": 2, "katas": {"k01_tokens": {"attempts": {"aa": "many"}}}}',
    "hints that are no record": '{"version": 2, "katas": {"k01_tokens": {"hints": [1]}}}',
    "a step that is no number": '{"version": 2, "katas": {"k01_tokens": {"step": "two"}}}',
    "far too deep": "[" * 100_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_record_is_set_aside_and_nothing_else_is_lost(record, kata, tmp_path, content):
    data = content if isinstance(content, bytes) else content.encode()
    record.write_bytes(data)
    said = []
    progress = Progress.load(tmp_path, said.append)
    assert progress.katas == {}
    (aside,) = record.parent.glob("progress.damaged-*.json")
    assert aside.read_bytes() == data and not record.exists()
    assert len(said) == 1 and f"set aside as .dojo/{aside.name}" in said[0] and "your code is untouched" in said[0]
    assert kata.file.read_text() == "answer = 42\n"
    note(progress, kata, "passed", None)
    progress.save()
    assert json.loads(record.read_text())["katas"][kata.slug]["last"] == "passed"


def test_records_of_katas_that_are_gone_are_kept(record, tmp_path):
    record.write_text('{"version": 2, "katas": {"k99_gone": {"attempts": {"aa": 3}}}}')
    progress = Progress.load(tmp_path)
    progress.save()
    assert json.loads(record.read_text())["katas"] == {"k99_gone": {"attempts": {"aa": 3}}}


def test_a_record_of_a_newer_version_is_left_alone(record, kata, tmp_path):
    text = '{"version": 3, "katas": {"k01_tokens": "in a way that is not known yet"}}'
    record.write_text(text)
    said = []
    progress = Progress.load(tmp_path, said.append)
    assert len(said) == 1 and "version 3" in said[0] and "make update" in said[0]
    note(progress, kata, "passed", None)
    progress.save()
    assert progress.status(kata) == "solved" and record.read_text() == text
    assert [path.name for path in record.parent.iterdir()] == ["progress.json"]


def test_a_record_that_became_newer_since_is_left_alone_too(record, kata, tmp_path):
    progress = Progress.load(tmp_path)
    record.write_text('{"version": 3, "katas": {}}')
    note(progress, kata, "passed", None)
    progress.save()
    assert record.read_text() == '{"version": 3, "katas": {}}' and progress.newer


# Two processes at once.

NOTE = """
import sys
from pathlib import Path
from dojo.curriculum.catalog import Kata
from dojo.judge.verdict import Verdict
from dojo.learner.progress import Progress
root, slug = Path(sys.argv[1]), sys.argv[2]
progress = Progress.load(root)
print("loaded", flush=True)
sys.stdin.readline()
for attempt in range(50):
    progress.note(Kata(root, slug), Verdict("k02", "failed", 2))
    progress.note(Kata(root, "k01_tokens"), Verdict("k01", "failed", 1))
    progress.save()
"""


def test_two_processes_at_once_lose_none_of_their_notes(kata, tmp_path):
    command = [sys.executable, "-c", NOTE, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT, "text": True}
    both = [subprocess.Popen([*command, slug], **pipes) for slug in ("k02_batches", "k03_embeddings")]
    assert [process.stdout.readline() for process in both] == ["loaded\n"] * 2
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        process.communicate(timeout=600)
        assert process.returncode == 0
    progress = Progress.load(tmp_path)
    counts = [progress.attempts(Kata(tmp_path, slug)) for slug in ("k01_tokens", "k02_batches", "k03_embeddings")]
    assert counts == [100, 50, 50]
    assert {path.name for path in (tmp_path / ".dojo").iterdir()} - {".lock"} == {"progress.json"}  # as locks are there


def test_what_was_not_written_is_written_the_next_time(record, kata, tmp_path, monkeypatch):
    progress = Progress.load(tmp_path)
    note(progress, kata, "failed", 1)
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError):
            progress.save()
    note(progress, kata, "failed", 1)
    progress.save()
    progress.save()
    assert Progress.load(tmp_path).attempts(kata) == 2


def test_a_record_damaged_meanwhile_is_set_aside_and_written_anew(record, kata, tmp_path):
    progress = Progress.load(tmp_path)
    note(progress, kata, "failed", 1)
    progress.save()
    record.write_text("{half")
    note(progress, kata, "failed", 1)
    progress.save()
    assert Progress.load(tmp_path).attempts(kata) == 2
    (aside,) = record.parent.glob("progress.damaged-*.json")
    assert aside.read_text() == "{half"


# Two machines.


@pytest.fixture
def home_and_work(tmp_path):
    """The same kata in two clones."""
    for name in ("home", "work"):
        kata = Kata(tmp_path / name, "k01_tokens")
        kata.file.parent.mkdir(parents=True)
        kata.file.write_text(name)
        progress = Progress.load(kata.root)
        note(progress, kata, "failed", 1)
        progress.save()
    return [Kata(tmp_path / name, "k01_tokens") for name in ("home", "work")]


def carry(source, target):
    """Export here, import there."""
    progress = Progress.load(target.root)
    progress.take_in(records.read(source.root / ".dojo" / "progress.json"))
    progress.save()
    return Progress.load(target.root)


def test_attempts_are_added_once_however_often_they_are_carried(home_and_work):
    home, work = home_and_work
    assert carry(home, work).attempts(work) == 2
    assert carry(home, work).attempts(work) == 2
    assert carry(work, home).attempts(home) == 2
    progress = Progress.load(home.root)
    note(progress, home, "passed", None)
    progress.save()
    assert carry(home, work).attempts(work) == 3
    assert carry(work, home).attempts(home) == 3


def test_a_kata_is_solved_where_the_file_that_passed_stands(home_and_work):
    home, work = home_and_work
    progress = Progress.load(home.root)
    note(progress, home, "passed", None)
    progress.save()
    assert carry(home, work).status(work) != "solved"
    work.file.write_text("home")
    assert Progress.load(work.root).status(work) == "solved"


def test_files_that_passed_on_either_machine_count(home_and_work):
    for kata in home_and_work:
        progress = Progress.load(kata.root)
        note(progress, kata, "passed", None)
        progress.save()
    home, work = home_and_work
    both = carry(home, work)
    assert both.status(work) == "solved"
    work.file.write_text("home")
    assert both.status(work) == "solved"


@pytest.mark.parametrize("first", [0, 1])
def test_merging_takes_the_later_attempt_and_the_most_hints(first):
    older = {"at": "2025-03-01T10:00:00+00:00", "last": "failed", "step": 1, "hints": {"1": 3}, "tries": 4}
    later = {"at": "2025-03-02T10:00:00+00:00", "last": "failed", "step": 2, "hints": {"1": 1, "2": 1}, "tries": 1}
    pair = [older, later]
    merged = records.merge(pair[first], pair[1 - first])
    assert merged == {**later, "hints": {"1": 3, "2": 1}}


def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing_half_done(kata, tmp_path):
    (tmp_path / ".dojo").write_text("a file where the folder should be")
    progress = Progress.load(tmp_path)
    with pytest.raises(OSError):
        progress.save()
    assert (tmp_path / ".dojo").read_text() == "a file where the folder should be"


def test_a_record_that_cannot_be_replaced_stays_as_it_was(record, kata, tmp_path, monkeypatch):
    progress = Progress.load(tmp_path)
    progress.save()
    before = record.read_text()
    note(progress, kata, "passed", None)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        progress.save()
    assert record.read_text() == before
    assert {path.name for path in record.parent.iterdir()} - {".lock"} == {"progress.json"}


def test_a_file_saved_while_it_was_judged_is_not_solved(tmp_path, monkeypatch):
    """What passed is what was judged, not what stands there by now."""
    kata = Kata(tmp_path, "k05_causal_attention")
    kata.file.parent.mkdir(parents=True)
    kata.file.write_text("saved later")
    progress = Progress.load(tmp_path)
    note(progress, kata, "passed", judged="the hash of what was judged")
    assert progress.status(kata) == "changed"
