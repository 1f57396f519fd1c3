"""The graduation run: stopped, killed and resumed it gives the same losses, and it loses nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from dojo.curriculum import stubs
from dojo.curriculum.catalog import Catalog
from dojo.figures.run import draw
from dojo.gpt import presets
from dojo.gpt.corpus import Corpus
from dojo.gpt.model import parts
from dojo.gpt.presets import Preset
from dojo.gpt.training import Interrupted, Run, TrainingError

from ..trees import ROOT, copy_tree

STEPS = 40
CATALOG = Catalog(ROOT)


def text():
    draw = random.Random(3)
    return "\n".join(draw.choice(["to", "be", "or", "not", "that", "is"]) for _ in range(900))


TINY = Preset(
    "tiny",
    lambda: Corpus("tiny", text(), None),
    context_length=16,
    batch_size=4,
    steps=STEPS,
    peak=1e-2,
    emb_dim=16,
    num_heads=2,
    num_layers=2,
    warmup=5,
    evaluate_every=10,
)


@pytest.fixture(scope="module")
def reference_parts():
    torch.set_num_threads(1)
    return parts(CATALOG, frozenset())


@pytest.fixture(scope="module")
def whole(reference_parts, tmp_path_factory):
    """A run that nobody stopped."""
    run = begin(reference_parts, tmp_path_factory.mktemp("whole") / "run")
    run.train()
    return run


def prepare(reference_parts, folder):
    run = Run(TINY, folder, *reference_parts, say=lambda said: None)
    run.prepare()
    return run


def begin(reference_parts, folder):
    run = prepare(reference_parts, folder)
    run.begin()
    return run


def finish(reference_parts, folder):
    run = prepare(reference_parts, folder)
    run.resume()
    run.train()
    return run


def same_run(one, other):
    assert one.losses == other.losses
    assert one.evaluations == other.evaluations
    for mine, theirs in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, 10, 23])
def test_a_stopped_run_goes_on_bit_for_bit(reference_parts, whole, tmp_path, name, step):
    run = begin(reference_parts, tmp_path / "run")
    with pytest.raises(Interrupted):
        run.train(lambda run: signal.raise_signal(name) if run.step == step else None)
    assert run.step == step
    same_run(finish(reference_parts, tmp_path / "run"), whole)


SCRIPT = """
import os, sys, time
from pathlib import Path
from tests.dojo.gpt.test_training import *
torch.set_num_threads(1)
reference_parts = parts(CATALOG, frozenset())
for folder in map(Path, sys.argv[1:]):
    if (child := os.fork()) == 0:
        run = begin(reference_parts, folder)
        print(os.getpid(), flush=True)
        run.train(lambda run: time.sleep(0.005))
        time.sleep(60)  # it does not end by itself, however soon it is done
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_run_goes_on_bit_for_bit(reference_parts, whole, tmp_path):
    torch.set_num_threads(1)
    folders = {tmp_path / f"run-{delay}": delay for delay in (0.0, 0.15, 0.3)}
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, *map(str, folders)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        for folder, delay in folders.items():
            begun = int(process.stdout.readline())
            time.sleep(delay)
            os.kill(begun, signal.SIGKILL)
            same_run(finish(reference_parts, folder), whole)
    assert process.returncode == 0


def test_a_finished_run_can_be_shown_again(reference_parts, whole):
    again = finish(reference_parts, whole.folder)
    same_run(again, whole)
    sample = again.finish()
    draw(again, sample)
    assert len(sample) > 100
    assert (whole.folder / "sample.txt").read_text(encoding="utf-8") == sample
    for name in ("loss.png", "attention.png"):
        assert (whole.folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_best_checkpoint_is_kept_apart_from_the_last(reference_parts, tmp_path):
    run = begin(reference_parts, tmp_path / "run")
    worse = iter([2.0, 1.0, 3.0, 4.0])
    run.parts = run.parts | {"k12": Spy(run.parts["k12"], evaluate=lambda *ignored: next(worse))}
    run.train()
    load = reference_parts[0]["k14"].load_checkpoint
    assert load(run.folder / "best.pt", run.model) == 20
    assert load(run.folder / "last.pt", run.model) == STEPS


class Spy:
    """A module with some names replaced."""

    def __init__(self, module, **names):
        self.__dict__.update(vars(module) | names)


def test_a_full_disk_is_said_and_the_run_goes_on(reference_parts, whole, tmp_path):
    run = begin(reference_parts, tmp_path / "run")
    said = []
    run.say = said.append
    k14 = run.parts["k14"]

    def full(*args):
        if 10 <= run.step <= 20:
            raise OSError(28, "No space left on device")
        k14.save_checkpoint(*args)

    run.parts = run.parts | {"k14": Spy(k14, save_checkpoint=full)}
    run.train()
    assert len(said) == 1 and "No space left on device" in said[0] and "step 10" in said[0]
    assert not run.unsaved
    same_run(run, whole)


def test_a_folder_that_cannot_be_written_is_said_before_anything_starts(reference_parts, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(TrainingError, match="Nothing was started"):
        begin(reference_parts, tmp_path / "file" / "run")


def test_an_older_run_is_kept_when_a_new_one_begins(reference_parts, tmp_path):
    begin(reference_parts, tmp_path / "run").train()
    begin(reference_parts, tmp_path / "run")
    assert len(list(tmp_path.glob("run*/best.pt"))) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_resuming_without_a_run_says_so(reference_parts, tmp_path):
    with pytest.raises(TrainingError, match="no run to resume"):
        finish(reference_parts, tmp_path / "nothing")


def test_resuming_with_other_parts_says_which(reference_parts, tmp_path):
    run = begin(reference_parts, tmp_path / "run")
    run.whose = run.whose | {"k07": "mine"}
    run.save()
    with pytest.raises(TrainingError, match="k07"):
        finish(reference_parts, tmp_path / "run")


@pytest.mark.parametrize("name", ["last.pt", "history.json"])
def test_a_damaged_run_is_refused_by_name(reference_parts, tmp_path, name):
    run = begin(reference_parts, tmp_path / "run")
    path = run.folder / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainingError, match="cannot be resumed"):
        finish(reference_parts, tmp_path / "run")


def test_solved_katas_take_part_and_the_rest_builds_on_them(tmp_path):
    tree = Catalog(copy_tree(tmp_path / "clone"))
    kata = tree.find("k07")
    marked = kata.solution.read_text(encoding="utf-8") + "\nMINE = True\n"
    kata.file.write_text(marked, encoding="utf-8")
    modules, whose = parts(tree, frozenset([kata.slug]))
    assert whose["k07"] != "reference" and whose["k10"] == "reference"
    assert modules["k07"].MINE
    assert modules["k10"].LayerNorm is modules["k07"].LayerNorm
    parts(CATALOG, frozenset())  # leave this process on the tree that the other tests use


def test_presets_train_what_the_contracts_say():
    shakespeare = presets.PRESETS["shakespeare"]
    k10 = parts(CATALOG, frozenset())[0]["k10"]
    config = k10.SHAKESPEARE_CPU
    sizes = (shakespeare.context_length, shakespeare.emb_dim, shakespeare.num_heads, shakespeare.num_layers)
    assert sizes == (config.context_length, config.emb_dim, config.num_heads, config.num_layers)
    assert (shakespeare.batch_size, shakespeare.steps) == (12, 2000)


def test_the_history_is_plain_json(whole):
    history = json.loads((whole.folder / "history.json").read_text(encoding="utf-8"))
    assert history["losses"] == whole.losses
    assert stubs.read(whole.folder / "history.json")
