"""The archive for Gradescope: it holds what grading needs, and grades by it."""

import io
import json
import subprocess
import sys
import zipfile

from dojo.curriculum.catalog import Catalog
from dojo.grading.gradescope import autograder

from ..trees import ROOT


def test_it_has_its_scripts_in_the_root_and_grades_from_what_is_in_it(tmp_path):
    content = autograder(ROOT, ["k05"])
    assert content == autograder(ROOT, ["k05"]), "the same repository gives the same bytes"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {"setup.sh", "run_autograder", "dojo/__main__.py", "data/index/k05_causal_attention.npz"} <= set(
            archive.namelist()
        )
        assert all(archive.getinfo(name).external_attr >> 16 & 0o111 for name in ("setup.sh", "run_autograder"))
        assert not any(
            name.startswith(("tests/alternatives", "tests/verdicts", "runs", ".")) for name in archive.namelist()
        )
        script = archive.read("run_autograder").decode()
        packages = archive.read("setup.sh").decode()
        archive.extractall(tmp_path / "source")
    assert "'torch>=2.6'" in packages and "bubblewrap" in packages
    submission, results = tmp_path / "submission", tmp_path / "results.json"
    submission.mkdir()
    (submission / "causal_attention.py").write_bytes(Catalog(ROOT).find("5").solution.read_bytes())
    for theirs, ours in (
        ("/autograder/source", tmp_path / "source"),
        ("/autograder/submission", submission),
        ("/autograder/results/results.json", results),
        ("/autograder/venv/bin/python", sys.executable),
    ):
        script = script.replace(theirs, str(ours))
    subprocess.run(["bash", "-c", script], check=True, timeout=300)
    tests = json.loads(results.read_text(encoding="utf-8"))["tests"]
    assert [test["score"] for test in tests] == [1, 1, 1, 1]
