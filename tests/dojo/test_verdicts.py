"""What a learner reads of each submission in tests/verdicts, word for word; the README there says how to add one.

`make verdicts` runs this file as a program, which writes the texts that are not there yet.
"""

import os
import re

import pytest

from dojo.curriculum.catalog import Catalog
from dojo.judge.client import Judge
from dojo.learner.verdict_text import render

from .trees import ROOT

FOLDERS = sorted(folder for folder in (ROOT / "tests" / "verdicts").glob("k*/*") if folder.is_dir())
SECONDS = re.compile(r"\d+(\.\d+)?(?= (s|seconds)\b)")
at_random = os.environ.get("DOJO_RANDOM") == "1"  # then the examples are others each time


def text_of(judge, folder):
    """What `dojo test` prints where the submission stands in the place of the learner's file and no kata is solved."""
    kata = Catalog(ROOT).by_slug(folder.parent.name)
    submission = folder / kata.file.name
    text = render(judge.verdict(kata, path=submission), kata.title).plain
    text = text.replace(*(path.relative_to(ROOT).as_posix() for path in (submission, kata.file)))
    return SECONDS.sub("…", text) + "\n"


@pytest.mark.skipif(at_random, reason="the examples are drawn at random")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_submission_gets_its_verdict(judge, folder):
    expected = folder / "verdict.txt"
    assert expected.exists(), "make verdicts writes what is said today; correct it to what must be said"
    assert text_of(judge, folder) == expected.read_text(encoding="utf-8")


def write_missing():
    """Write the text of each submission that has none."""
    with Judge(ROOT) as judge:
        for folder in FOLDERS:
            if not (folder / "verdict.txt").exists():
                (folder / "verdict.txt").write_text(text_of(judge, folder), encoding="utf-8")
                print(f"{(folder / 'verdict.txt').relative_to(ROOT).as_posix()} written: is it what must be said?")


if __name__ == "__main__":
    write_missing()
