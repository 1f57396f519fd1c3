"""What is solved is written down whole or not at all, and a damaged record costs nothing but itself."""

import json

import pytest

from dojo.catalog import Kata
from dojo.progress import Progress


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


def test_nothing_is_solved_at_first(kata, tmp_path):
    progress = Progress.load(tmp_path)
    assert progress.katas == {} and progress.status(kata) == "untouched"
    assert not (tmp_path / ".dojo").exists()


@pytest.mark.parametrize(
    ("verdict", "step", "status"),
    [
        ("passed", None, "solved"),
        ("failed", 1, "started"),
        ("error", None, "started"),
        ("not_started", 1, "untouched"),
        ("not_started", 2, "started"),
    ],
)
def test_a_verdict_decides_what_the_board_shows(kata, tmp_path, verdict, step, status):
    progress = Progress.load(tmp_path)
    progress.note(kata, verdict, step)
    progress.save()
    again = Progress.load(tmp_path)
    assert again.status(kata) == status and again.katas[kata.slug]["attempts"] == 1


def test_a_solved_kata_is_changed_when_its_file_is(kata, tmp_path):
    progress = Progress.load(tmp_path)
    progress.note(kata, "passed", None)
    kata.file.write_text("answer = 43\n")
    assert progress.status(kata) == "changed"
    progress.note(kata, "failed", 1)
    assert progress.status(kata) == "changed"
    kata.file.write_text("answer = 42\n")
    assert progress.status(kata) == "solved"
    kata.file.unlink()
    assert progress.status(kata) == "changed"


DAMAGED = {
    "cut off": '{"version": 1, "katas": {"k01_to',
    "empty": "",
    "not UTF-8": b"\xff\xfe{}",
    "another form": "[1, 2]",
    "no katas": '{"version": 1}',
    "katas that are no records": '{"katas": {"k01_tokens": 7}}',
    "attempts that are no number": '{"katas": {"k01_tokens": {"attempts": "many"}}}',
    "hints that are no record": '{"katas": {"k01_tokens": {"attempts": 1, "hints": [1]}}}',
    "a step that is no number": '{"katas": {"k01_tokens": {"attempts": 1, "step": "two"}}}',
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
    progress.note(kata, "passed", None)
    progress.save()
    assert json.loads(record.read_text())["katas"][kata.slug]["last"] == "passed"


def test_records_of_katas_that_are_gone_are_kept(record, tmp_path):
    record.write_text('{"version": 1, "katas": {"k99_gone": {"attempts": 3}}}')
    progress = Progress.load(tmp_path)
    progress.save()
    assert json.loads(record.read_text())["katas"] == {"k99_gone": {"attempts": 3}}


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
    progress.note(kata, "passed", None)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        progress.save()
    assert record.read_text() == before and [path.name for path in record.parent.iterdir()] == ["progress.json"]


def test_a_file_saved_while_it_was_judged_is_not_solved(tmp_path, monkeypatch):
    """What passed is what was judged, not what stands there by now."""
    kata = Kata(tmp_path, "k05_causal_attention")
    kata.file.parent.mkdir(parents=True)
    kata.file.write_text("saved later")
    progress = Progress.load(tmp_path)
    progress.note(kata, "passed", None, judged="the hash of what was judged")
    assert progress.status(kata) == "changed"
