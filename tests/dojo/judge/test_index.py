"""The index: made twice, kept in a file, and never a reason for a verdict to fail."""

import shutil

import numpy as np
import pytest

from dojo.curriculum.catalog import Catalog
from dojo.judge import index
from dojo.judge.index import IndexUnusable, index_file, load, own_index_file, stamp_of
from dojo.judge.index_build import BuildError, answers_of, build, differing, fitting_file
from dojo.judge.run import KataRun
from dojo.sandbox.loader import Workspace
from dojo.spec.suite import load_suite

SOLUTION = '''"""Sums."""

import torch


def total(x: torch.Tensor) -> torch.Tensor:
    """The sum of the rows."""
    # <solution step=1>
    return x.sum(dim=-1)
    # </solution>
'''
TESTS = '''"""k01 sums."""

from dojo.spec import check, claim, sizes


@claim(step=1, size=sizes("B T"))
def test_rows_are_summed(kata, size):
    """total sums each row."""
    x = size.normal("B T")
    check.equal(kata.total(x), x.sum(-1), "total(x)", x=x)
'''
BANK = '''"""What people get wrong about sums."""

from dojo.spec import family, mistake, swap

LINE = "return x.sum(dim=-1)"
SAYS = dict(caught_by="test_rows_are_summed", explanation="It is the sum.")

MISTAKES = [
    mistake("the mean", swap(LINE, "return x.mean(dim=-1)"), **SAYS),
    mistake("the columns", swap(LINE, "return x.sum(dim=0)"), **SAYS),
    mistake("no text", swap(LINE, "return ("), **SAYS),
    family("{c} is added", swap(LINE, "return x.sum(dim=-1) + {c}"), constants=(1.0, 10.0), **SAYS),
]
'''
UNSTEADY = '    mistake("by hash", swap(LINE, "return x.sum(dim=-1) + hash(\'seed\') % 1000"), **SAYS),\n]\n'
BY_HISTORY = """    mistake("a trace", swap(LINE, "torch.trace = 1\\n    return x.sum(dim=-1) + 1"), **SAYS),
    mistake("by history", swap(LINE, "return x.sum(dim=-1) + getattr(torch, 'trace', 5)"), **SAYS),
]
"""
RIGHT = '    mistake("no mistake", swap(LINE, "return x.sum(dim=x.ndim - 1)"), **SAYS),\n]\n'


def tree(root, bank=BANK):
    """A tree with one kata."""
    texts = {
        "katas/k01_sums/README.md": "# k01 · Sums\n\n## Steps\n\n1. Sum\n",
        "solutions/k01_sums/sums.py": SOLUTION,
        "tests/katas/test_k01_sums.py": TESTS,
        "tests/mistakes/k01_sums.py": bank,
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text, encoding="utf-8")
    return Catalog(root).find("1")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    kata = tree(tmp_path_factory.mktemp("tree") / "clone")
    build(kata)
    return kata


@pytest.fixture
def kata(built, tmp_path):
    """The kata in a copy of its tree, with the index that was made."""
    shutil.copytree(built.root, tmp_path / "clone")
    return Catalog(tmp_path / "clone").find("1")


def verdict_of(kata, line):
    """The verdict of a file with this line in the place of the right one."""
    file = kata.root / "sums.py"
    file.write_text(SOLUTION.replace("return x.sum(dim=-1)", line), encoding="utf-8")
    return KataRun(kata, Workspace(Catalog(kata.root)), file).run()


def test_what_is_made_is_found_again_and_names(kata):
    stored = load(kata)
    assert stored.mistakes == ("the mean", "the columns", "no text", "1 is added", "10 is added")
    assert len(stored.checks) == 8 and stored.failing.any(axis=1).all()
    assert fitting_file(kata) == index_file(kata) and not own_index_file(kata).exists()
    suite = load_suite(kata)
    assert differing(stored, answers_of(kata, suite, suite.mistakes)) == []
    verdict = verdict_of(kata, "return x.sum(dim=-1) / x.shape[-1]")
    assert [named.name for named in verdict.diagnosis] == ["the mean"] and verdict.notes == []


def test_a_constant_that_the_bank_lacks_is_named(kata):
    verdict = verdict_of(kata, "return x.sum(dim=-1) + 3.5")
    assert [named.name for named in verdict.diagnosis] == ["3.5 is added"]


def change(path, **arrays):
    """Write an index file anew with some arrays changed; those that are None are left out."""
    with np.load(path) as stored:
        arrays = dict(stored) | arrays
    with path.open("wb") as file:
        np.savez_compressed(file, **{name: array for name, array in arrays.items() if array is not None})


def other_libraries(path):
    change(path, made_with=np.array("torch 1.0 and Hypothesis 6.0"), examples=np.array("others"))


SPOILED = {
    "missing": (lambda path: path.unlink(), "is missing"),
    "stale": (lambda path: change(path, stamp=np.array("0" * 64)), "is out of date"),
    "of other libraries": (other_libraries, "was made with torch 1.0 and Hypothesis 6.0, and here are torch "),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-300]), "is damaged"),
    "cut off early": (lambda path: path.write_bytes(path.read_bytes()[:100]), "is damaged"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "no zip": (lambda path: path.write_bytes(b"version https://git-lfs\n" * 20), "is damaged"),
    "bytes changed": (lambda path: path.write_bytes(path.read_bytes().replace(b"PK", b"QQ", 3)), "is damaged"),
    "without digests": (lambda path: change(path, digests=None), "is damaged"),
    "out of range": (lambda path: change(path, rows=np.full(3, 999, np.uint16)), "is damaged"),
    "of objects": (lambda path: change(path, digests=np.array([None, {}])), "is damaged"),
    "another array": (lambda path: np.save(path.open("wb"), np.zeros(3)), "is damaged"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_an_index_that_cannot_be_used_leaves_the_verdict_without_a_name(kata, how):
    spoil, problem = SPOILED[how]
    spoil(index_file(kata))
    with pytest.raises(IndexUnusable):
        load(kata)
    verdict = verdict_of(kata, "return x.mean(dim=-1)")
    assert (verdict.verdict, verdict.claim) == ("failed", "total sums each row.")
    assert verdict.diagnosis == [] and len(verdict.notes) == 1
    assert problem in verdict.notes[0] and verdict.notes[0].endswith("make index KATA=1")
    assert verdict_of(kata, "return x.sum(dim=-1)").verdict == "passed"


def test_a_changed_text_makes_it_stale_but_line_ends_do_not(kata):
    stamp = stamp_of(kata)
    kata.solution.write_bytes(SOLUTION.encode().replace(b"\n", b"\r\n"))
    assert stamp_of(kata) == stamp
    kata.mistakes.write_text(BANK + "\n", encoding="utf-8")
    assert stamp_of(kata) != stamp and fitting_file(kata) is None


def test_with_other_libraries_only_the_clones_own_index_is_made(kata):
    other_libraries(index_file(kata))
    committed = index_file(kata).read_bytes()
    _, path = build(kata)
    assert path == own_index_file(kata) == fitting_file(kata)
    assert index_file(kata).read_bytes() == committed and load(kata).mistakes


def test_libraries_that_draw_the_same_examples_will_do(kata):
    change(index_file(kata), made_with=np.array("torch 1.0 and Hypothesis 6.0"))
    assert verdict_of(kata, "return x.mean(dim=-1)").diagnosis and fitting_file(kata) == index_file(kata)


def test_a_mistake_is_never_named_by_examples_drawn_at_random(kata, monkeypatch):
    monkeypatch.setattr(index, "SETTINGS", index.SETTINGS.__class__(index.SETTINGS, derandomize=False))
    with pytest.raises(IndexUnusable, match="DOJO_RANDOM"):
        load(kata)


@pytest.mark.parametrize(("more", "name"), [(UNSTEADY, "by hash"), (BY_HISTORY, "by history"), (RIGHT, "no mistake")])
def test_a_mistake_that_cannot_be_recognised_is_refused_by_name(tmp_path, more, name):
    kata = tree(tmp_path / "clone", BANK.removesuffix("]\n") + more)
    with pytest.raises(BuildError, match=f'"{name}"'):
        build(kata)
    assert not index_file(kata).exists()


def test_a_process_that_ends_without_answers_is_said(tmp_path):
    kata = tree(tmp_path / "clone", BANK + "import os\nos._exit(3) if os.environ['PYTHONHASHSEED'] == '2' else None\n")
    with pytest.raises(BuildError, match="without answers"):
        build(kata)
