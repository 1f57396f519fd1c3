"""The same code gets the same verdict: idle, with more patience, and beside processes that take the processor away."""

import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from dojo.judge.client import Judge

from ..learners import FILL, K05, MASK, MIX, WEIGHTS, body, swapped
from ..trees import ROOT

BUSY = 2 * (os.cpu_count() or 2)
WRONG = {
    "named": swapped(FILL, "return softmax(scores.masked_fill(mask, 0.0))"),
    "a constant of one's own": swapped(FILL, "return softmax(scores.masked_fill(mask, -7.0))"),
    "two at once": swapped(MASK, MASK.replace("diagonal=1", "diagonal=0"), swapped(MIX, MIX.replace("weights)", "x)"))),
    "unknown": swapped(WEIGHTS, WEIGHTS + "\n        weights = weights ** 2"),
    "raises": body("causal_mask", "raise ValueError(f'{tokens} tokens')"),
}


def without_times(value):
    """A verdict as data, without how long things took."""
    if isinstance(value, dict):
        return {name: without_times(part) for name, part in value.items() if name != "seconds"}
    return [without_times(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong")
    for number, text in enumerate(WRONG.values()):
        (folder / f"{number}.py").write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def usual(judge, files):
    return [verdict_of(judge, file) for file in files]


def verdict_of(judge, file):
    return without_times(asdict(judge.verdict(K05, path=file)))


def test_they_are_wrong_each_in_its_way(usual):
    assert [verdict["verdict"] for verdict in usual] == ["failed"] * len(WRONG)
    assert len({(verdict["property"], verdict["got"]) for verdict in usual}) == len(WRONG)


def test_patience_changes_no_verdict(files, usual):
    with pytest.MonkeyPatch.context() as patch, Judge(ROOT) as patient:
        patch.setenv("DOJO_PATIENCE", "3")
        assert [verdict_of(patient, file) for file in files] == usual


def test_a_busy_machine_changes_no_verdict(judge, files, usual):
    counting = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        assert [verdict_of(judge, file) for file in files] == usual
    finally:
        for process in counting:
            process.kill()
            process.wait()
