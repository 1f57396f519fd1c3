"""What strangers hand in, in all the forms that it comes in, and all that is wrong with some of it."""

import json
import os
import zipfile

import pytest

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.curriculum.notebooks import notebook_file
from dojo.grading.submissions import read_all, read_one

from ..trees import ROOT

CATALOG = Catalog(ROOT)
K05 = CATALOG.find("5")
TEXT = K05.solution.read_bytes()


def read(path, content=None):
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return read_one(path, CATALOG)


@pytest.mark.parametrize(
    "name",
    [
        "causal_attention.py",
        "k05.py",
        "k05_causal_attention.py",
        "Causal-Attention (1).py",
        "anna_12345_causal_attention.py",
    ]
    + ["CAUSAL_ATTENTION_final.PY", "k05 (copy).py"],
)
def test_a_file_is_known_by_its_name(tmp_path, name):
    assert read(tmp_path / name, b"x = 1\n").files == {K05.slug: b"x = 1\n"}


def test_a_misnamed_file_is_known_by_what_it_defines(tmp_path):
    submission = read(tmp_path / "homework.py", TEXT)
    assert submission.files == {K05.slug: TEXT} and "taken for k05" in submission.notes[0]
    assert "no kata" in read(tmp_path / "other.py", b"def f(): ...\n").unreadable


def test_a_folder_a_clone_and_an_archive_hold_their_katas(tmp_path):
    clone = tmp_path / "clone"
    for name in (f"katas/{K05.slug}/{K05.file.name}", f"solutions/{K05.slug}/{K05.file.name}", "tests/katas/tokens.py"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_bytes(TEXT if name.startswith("katas") else b"missing")
    (clone / ".git").mkdir()
    assert read(clone).files == {K05.slug: TEXT}
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.writestr(f"anna/{K05.slug}/causal_attention.py", TEXT)
        archive.writestr("__MACOSX/._causal_attention.py", b"junk")
    assert read(tmp_path / "own.zip").files == {K05.slug: TEXT}


def test_a_folder_of_submissions_holds_several_and_their_names_stay_apart(tmp_path):
    for folder in ("anna", "bert"):
        read(tmp_path / "all" / folder / "causal_attention.py", TEXT)
    read(tmp_path / "all" / "carl_k05.py", TEXT)
    names = [submission.name for submission in read_all([tmp_path / "all", tmp_path / "all" / "anna"], CATALOG)]
    assert names == ["anna", "bert", "carl_k05", "anna [2]"]


def test_of_two_files_for_a_kata_neither_is_judged_unless_one_is_at_home(tmp_path):
    folder = tmp_path / "anna"
    read(folder / "causal_attention.py", TEXT)
    submission = read(folder / "old" / "causal_attention.py", TEXT + b"# other\n") and read(folder)
    assert submission.files == {} and "two files" in submission.spoiled[K05.slug]
    read(folder / "katas" / K05.slug / "causal_attention.py", TEXT + b"# mine\n")
    assert read(folder).files == {K05.slug: TEXT + b"# mine\n"}


def test_the_same_text_twice_and_the_stub_beside_it_are_no_trouble(tmp_path):
    folder = tmp_path / "anna"
    read(folder / "causal_attention.py", TEXT)
    read(folder / "copy" / "causal_attention.py", TEXT)
    read(folder / "katas" / K05.slug / "causal_attention.py", stubs.stub_of(K05).encode())
    assert read(folder).files == {K05.slug: TEXT}


def test_a_notebook_is_put_together_from_its_cells(tmp_path):
    notebook = json.loads(notebook_file(K05).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if text.startswith("%%kata 5 --step 1"):
            cell["source"] = [text.replace('raise NotImplementedError("step 1")', "return 'mine'")]
    submission = read(tmp_path / "anna.ipynb", json.dumps(notebook).encode())
    text = submission.files[K05.slug].decode()
    assert "return 'mine'" in text and 'NotImplementedError("step 2")' in text and "%%kata" not in text
    assert "no notebook" in read(tmp_path / "bad.ipynb", b'{"cells": 3}').notes[0]


def test_an_archive_within_a_submission_is_said_and_not_opened(tmp_path):
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.writestr("inner.zip", b"PK")
        archive.writestr("causal_attention.py", TEXT)
    submission = read(tmp_path / "outer.zip")
    assert submission.files == {K05.slug: TEXT} and "not opened" in submission.notes[0]


def test_nothing_and_too_much_and_links_are_said(tmp_path):
    (tmp_path / "nothing").mkdir()
    assert "no kata" in read(tmp_path / "nothing").unreadable
    assert "more than" in read(tmp_path / "causal_attention.py", bytes(5 << 20)).unreadable
    assert "cannot be read" in read(tmp_path / "gone.py").unreadable
    if hasattr(os, "symlink"):
        (tmp_path / "links").mkdir()
        (tmp_path / "links" / "causal_attention.py").symlink_to("/etc/passwd")
        assert "link" in read(tmp_path / "links").unreadable


def test_a_name_that_is_a_script_or_endless_is_shown_plainly(tmp_path):
    names = [each.name for each in read_all([tmp_path / ("<script>x" + "y" * 200 + ".py")], CATALOG)]
    assert names[0].startswith("<script>x") and len(names[0]) == 81


def test_what_was_changed_after_make_submit_is_said(tmp_path):
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.writestr("submission.json", json.dumps({"files": {"causal_attention.py": "0" * 64}}))
        archive.writestr("causal_attention.py", TEXT)
    assert "Changed after" in read(tmp_path / "own.zip").notes[0]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_named_as_such(tmp_path, encoding):
    submission = read(tmp_path / "k05.py", ("\N{ZERO WIDTH NO-BREAK SPACE}" + TEXT.decode()).encode(encoding))
    assert submission.files == {} and "UTF-16. Save it as UTF-8" in submission.spoiled[K05.slug]


def test_a_file_beside_archives_is_a_submission_as_they_are(tmp_path):
    with zipfile.ZipFile(tmp_path / "ada.zip", "w") as packed:
        packed.writestr("k05.py", TEXT)
    (tmp_path / "causal_attention.py").write_bytes(TEXT)
    assert [each.name for each in read_all([tmp_path], CATALOG)] == ["ada", "causal_attention"]


def test_an_archive_beside_the_folder_of_the_katas_makes_no_class_of_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "submission.zip", "w") as packed:
        packed.writestr("k05.py", TEXT)
    read(tmp_path / "katas" / K05.slug / K05.file.name, TEXT)
    (submission,) = read_all([tmp_path], CATALOG)
    assert list(submission.files) == [K05.slug]
