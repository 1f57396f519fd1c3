"""How long people wait for a command. Not part of `make check`: `pytest tests/benchmarks` prints the table."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dojo.curriculum.catalog import Catalog

from ..dojo.trees import copy_tree


@pytest.fixture(scope="module")
def solved_tree(tmp_path_factory):
    """A clone in which k05 is solved."""
    tree = copy_tree(tmp_path_factory.mktemp("clone"))
    kata = Catalog(tree).find("k05")
    kata.file.write_text(kata.solution.read_text(encoding="utf-8"), encoding="utf-8")
    return tree


@pytest.mark.parametrize("words", [[], ["hint", "5"]], ids=["board", "hint"])
def test_quick_commands(benchmark, solved_tree, words):
    benchmark.pedantic(dojo, args=(solved_tree, words), rounds=10, warmup_rounds=1)


def test_cold_verdict_on_a_solved_kata(benchmark, solved_tree):
    benchmark.pedantic(dojo, args=(solved_tree, ["test", "5"]), rounds=5, warmup_rounds=1)


def dojo(tree, words):
    environment = os.environ | {"DOJO_ROOT": str(tree)}
    command = [sys.executable, "-m", "dojo", *words]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
