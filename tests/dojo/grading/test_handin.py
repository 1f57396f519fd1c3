"""`make submit`: one file with what was begun, the record and the versions, and nothing else of the disk."""

import io
import json
import zipfile
from hashlib import sha256

from dojo.curriculum.catalog import Catalog
from dojo.grading.submissions import read_one


def test_it_holds_what_was_begun_and_the_same_work_gives_the_same_bytes(clone, tmp_path):
    clone.renew()
    clone.save("5", "x = 1  # mine\n")
    (clone.root / "katas" / "secret.txt").write_text("not to be handed in")
    for name in ("first.zip", "second.zip"):
        done = clone.verb("submit", "--out", str(tmp_path / name))
        assert done.exit_code == 0 and "k05" in done.output and "nothing else" in done.output
    content = (tmp_path / "first.zip").read_bytes()
    assert content == (tmp_path / "second.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = "katas/k05_causal_attention/causal_attention.py"
        assert sorted(archive.namelist()) == [name, "submission.json"]
        about = json.loads(archive.read("submission.json"))
    assert (
        about["files"] == {name: sha256(b"x = 1  # mine\n").hexdigest()} and {"dojo", "python", "torch"} <= about.keys()
    )
    submission = read_one(tmp_path / "first.zip", Catalog(clone.root))
    assert submission.files == {"k05_causal_attention": b"x = 1  # mine\n"} and submission.notes == []


def test_with_nothing_begun_it_says_so(clone, tmp_path):
    clone.renew()
    assert "none is begun" in clone.verb("submit", "--out", str(tmp_path / "none.zip")).output
