"""Every implementation of causal attention under pytest-benchmark, each after it has proved itself.

    pytest tests/benchmarks/test_attention.py --benchmark-only --benchmark-group-by=group

It is for those who know that tool, its histograms and its comparisons of saved runs. `make bench` measures the same
modules in interleaved rounds, with memory, limits and ratios. BENCH_TOKENS chooses the length, BENCH_DEVICE the device.
"""

import os

import pytest
import torch

from dojo.bench.attention import Sizes
from dojo.bench.implementations import Proof, entrants, unavailable
from dojo.bench.timing import Clock, Refused, Unavailable
from dojo.bench.workloads import Cell, Stable
from dojo.curriculum.catalog import Catalog
from dojo.sandbox.loader import Workspace
from tests.dojo.trees import ROOT

DEVICE = os.environ.get("BENCH_DEVICE", "cpu")
SIZES = Sizes(batch=8, heads=12, d_in=768, width=768, tokens=int(os.environ.get("BENCH_TOKENS", "128")))
CATALOG = Catalog(ROOT)
MODULE = Workspace(CATALOG).reference(CATALOG.find("multi_head_attention"))
EVERYBODY = entrants(MODULE.MultiHeadAttention, MODULE.MultiHeadAttentionWrapper)


@pytest.mark.parametrize("way", ["forward", "both"])
@pytest.mark.parametrize("one", EVERYBODY, ids=lambda one: one.name)
def test_attention(benchmark, one, way):
    benchmark.group = f"{way}, T = {SIZES.tokens}"
    if why := unavailable(one, DEVICE, way == "both"):
        pytest.skip(why)
    proof = Proof(MODULE.MultiHeadAttention, DEVICE, torch.float32, backward=way == "both")
    stable = Stable(MODULE.MultiHeadAttention, DEVICE, Cell("float32", way, SIZES.tokens), SIZES)
    racer = stable.racer(one)
    try:
        proof.demand(one, SIZES if one.compiled else None)
        racer.prove()
    except Unavailable as error:
        pytest.skip(str(error))
    except Refused as error:
        pytest.fail(str(error))
    clock = Clock(DEVICE)

    def call():
        racer.call()
        clock.wait()

    benchmark(call)
