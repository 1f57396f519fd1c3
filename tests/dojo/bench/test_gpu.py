"""What needs a GPU, on a machine that has one: races, proofs and the speedrun there, and parts that move to it."""

from __future__ import annotations

import os

import pytest
import torch

from dojo.bench.comparison import SMALL, Comparison, Configuration
from dojo.bench.machine import copy_rate, product_rate
from dojo.bench.timing import Clock, Racer, race
from dojo.curriculum.catalog import Catalog
from dojo.judge.client import Judge
from dojo.sandbox.loader import Workspace
from dojo.speedrun.referee import judge
from dojo.system.files import load_module

from ..speedrun.test_speedrun import GOOD, TARGET, TEXT
from ..trees import ROOT

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
DEVICE = "cuda"
CATALOG = Catalog(ROOT)
CHOSEN = "CUDA_VISIBLE_DEVICES"
SEEN = os.environ.get(CHOSEN)


@pytest.fixture(autouse=True)
def gpus_are_seen(monkeypatch):
    """Who judged a kata in this process before has hidden them from the processes that are started now."""
    if SEEN is None:
        monkeypatch.delenv(CHOSEN, raising=False)
    else:
        monkeypatch.setenv(CHOSEN, SEEN)


def reference(code):
    return Workspace(CATALOG).reference(CATALOG.find(code))


def known():
    return load_module(CATALOG.find("k06").races).implementations(None, reference("k06"))


def test_times_are_those_of_the_gpu_and_not_of_asking_it():
    small, large = (torch.randn(side, side, device=DEVICE) for side in (512, 8192))
    clock = Clock(DEVICE)
    for values in (small, large):
        clock.seconds(lambda values=values: values @ values)
    assert clock.seconds(lambda: large @ large) > 20 * clock.seconds(lambda: small @ small, times=20)


def test_memory_that_runs_out_is_a_row_and_the_others_go_on():
    racers = [
        Racer("greedy", lambda: torch.empty(1 << 50, device=DEVICE)),
        Racer("modest", lambda: torch.empty(1 << 10, device=DEVICE)),
    ]
    greedy, modest = race(racers, Clock(DEVICE), seconds=0.1)
    assert (greedy.kind, greedy.seconds, modest.failure) == ("memory", [], "") and modest.seconds


def test_limits_are_in_the_order_that_the_hardware_has():
    assert product_rate(DEVICE, torch.bfloat16) > 2 * product_rate(DEVICE, torch.float32)
    assert copy_rate(DEVICE) > 2 * copy_rate("cpu")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("implementation", [each for each in known() if not each.compiled], ids=lambda each: each.name)
def test_every_implementation_proves_itself(implementation, dtype):
    Comparison(reference("k06").MultiHeadAttention, DEVICE).prove(implementation, Configuration(dtype, "both", SMALL))


def test_the_model_moves_with_its_masks_and_gives_the_same_there():
    module = reference("k10")
    torch.manual_seed(0)
    model = module.GPT(module.TINY).double().eval()
    ids = torch.randint(module.TINY.vocab_size, (2, module.TINY.context_length))
    with torch.no_grad():
        here = model(ids)
        there = model.to(DEVICE)(ids.to(DEVICE))
    assert there.device.type == DEVICE and torch.allclose(here, there.cpu(), atol=1e-10)


def test_a_submission_trains_and_answers_on_the_gpu():
    source = GOOD.replace("(vocab_size, vocab_size), 0.1)", "(vocab_size, vocab_size), 0.1, device=ids.device)")
    source = source.replace("len(ids) - 1)", "len(ids) - 1, device=ids.device)")
    source = source.replace("self.calls += 1", "assert ids.is_cuda and self.logits.is_cuda")
    here = judge(GOOD.encode(), "mine.py", TEXT, TARGET, seed=3)
    there = judge(source.encode(), "mine.py", TEXT, TARGET, seed=3, device=DEVICE)
    assert there.loss == pytest.approx(here.loss, 1e-4)


def test_a_kata_is_judged_as_if_there_were_no_gpu(tmp_path):
    kata = CATALOG.find("k14")  # whose file is loaded in a new process, and may hold tensors of a GPU
    seen = tmp_path / "seen.py"
    seen.write_text(kata.solution.read_text(encoding="utf-8") + "\nassert not torch.cuda.is_available()\n")
    with Judge(ROOT) as judge:
        for _ in range(2):  # the second time on what was rehearsed in between
            assert judge.verdict(kata, path=seen).verdict == "passed"
