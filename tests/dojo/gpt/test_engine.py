"""On what a run computes: batches in parts give the losses of the whole, and what is not there is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from dojo.gpt.engine import Engine, EngineError, memory
from dojo.gpt.model import parts
from dojo.gpt.presets import PRESETS
from dojo.gpt.training import Run, TrainingError

from ..trees import ROOT
from .test_training import CATALOG, TINY, Spy


@pytest.fixture(scope="module")
def reference_parts():
    torch.set_num_threads(1)
    return parts(CATALOG, frozenset())


def trained(reference_parts, folder, **engine):
    run = Run(replace(TINY, steps=20), folder, *reference_parts, say=lambda line: None, engine=Engine(**engine))
    run.prepare()
    run.begin()
    run.train()
    return run


def test_a_batch_in_parts_gives_the_losses_of_the_whole(reference_parts, tmp_path):
    whole = trained(reference_parts, tmp_path / "whole")
    for count in (2, 4):
        run = trained(reference_parts, tmp_path / str(count), accumulate=count)
        assert run.losses == pytest.approx(whole.losses, abs=1e-4)
        assert run.evaluations == [(step, pytest.approx(loss, abs=1e-4)) for step, loss in whole.evaluations]


def test_bfloat16_trains_about_as_well_and_is_kept_in_float32(reference_parts, tmp_path):
    whole = trained(reference_parts, tmp_path / "whole")
    run = trained(reference_parts, tmp_path / "half", dtype="bfloat16")
    assert run.losses != whole.losses and run.losses == pytest.approx(whole.losses, abs=0.05)
    assert {each.dtype for each in run.model.parameters()} == {torch.float32}
    again = Run(replace(TINY, steps=20), tmp_path / "half", *reference_parts, engine=Engine())
    again.prepare()
    again.resume()  # a checkpoint goes on in another precision
    assert again.losses == run.losses


def test_what_is_not_there_is_refused_with_what_is():
    if not torch.cuda.is_available():
        with pytest.raises(EngineError, match="sees no cuda on this machine. DEVICE is auto, or of: cpu"):
            Engine.choose("cuda", "float32", 0, TINY)
    assert Engine.choose("auto", "float32", 0, TINY).device in ("cpu", "cuda", "mps")
    with pytest.raises(EngineError, match="ACCUMULATE=3 does not divide the 4 windows"):
        Engine.choose("cpu", "float32", 3, TINY)
    assert Engine.choose("cpu", "float32", 0, PRESETS["gpt2"]).accumulate == 40


def test_memory_that_does_not_do_is_said_with_what_would(reference_parts, tmp_path):
    def short(*ignored, **more):
        raise torch.OutOfMemoryError("CUDA out of memory")

    run = Run(TINY, tmp_path / "run", *reference_parts, say=lambda line: None)
    run.prepare()
    run.begin()
    run.parts = run.parts | {"k12": Spy(run.parts["k12"], train=short)}
    with pytest.raises(TrainingError, match="ACCUMULATE=2 takes about half"):
        run.train()


def test_the_large_presets_have_the_sizes_of_nanogpt(reference_parts):
    k10 = reference_parts[0]["k10"]
    for name, size in (("nanogpt", 65), ("gpt2", 50_257)):
        preset = PRESETS[name]
        sizes = (size, preset.context_length, preset.emb_dim, preset.num_heads, preset.num_layers)
        with torch.device("meta"):
            count = k10.count_parameters(k10.GPT(k10.GPTConfig(*sizes)))
        assert count > (10e6 if name == "nanogpt" else 120e6)
        whole, parts = (memory(preset, count, count, size, Engine(accumulate=number)) for number in (1, 2))
        assert whole > parts > 16 * count
        assert memory(preset, count, count // 100, size, Engine()) < whole


MEMORY = """
import sys, tempfile
from pathlib import Path
from dataclasses import replace
from dojo.gpt.engine import Engine, memory
from dojo.gpt.model import parts
from dojo.gpt.presets import PRESETS
from dojo.gpt.training import Run
from tests.dojo.gpt.test_training import CATALOG
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()  # ru_maxrss begins with that of whoever started this
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
preset = replace(PRESETS["verona"], steps=3, context_length=int(sys.argv[1]))
run = Run(preset, Path(tempfile.mkdtemp()) / "run", *parts(CATALOG, frozenset()), say=lambda line: None)
run.evaluate = lambda: 0.0
data = preset.corpus()
before = peak()
run.prepare()
run.train()
count = sum(each.numel() for each in run.model.parameters())
print((peak() - before) / memory(preset, count, count, run.data.tokenizer.vocab_size, Engine()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("context", [64, 256])
def test_the_memory_that_is_said_is_what_it_takes_within_a_factor_of_two(context):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", MEMORY, str(context)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert 0.5 < float(done.stdout) < 2, done.stderr


def test_a_preset_without_a_text_asks_for_one(reference_parts, tmp_path):
    with pytest.raises(TrainingError, match="PRESET=gpt2 trains on a text of your own: TEXT=path"):
        Run(PRESETS["gpt2"], tmp_path, *reference_parts).prepare()
