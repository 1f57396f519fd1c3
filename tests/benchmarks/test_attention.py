"""Every implementation of causal attention under pytest-benchmark, each after it has proved itself.

    pytest tests/benchmarks/test_attention.py --benchmark-only --benchmark-group-by=group

It is for those who know that tool, its histograms and its comparisons of saved runs. `make bench` measures the same
modules in interleaved rounds, with memory, limits and ratios. BENCH_TOKENS chooses the length, BENCH_DEVICE the device.
"""

import os

import pytest

from dojo.bench.comparison import Comparison, Configuration, Sizes
from dojo.bench.timing import Clock, Refused, Unavailable
from dojo.curriculum.catalog import Catalog
from dojo.sandbox.loader import Workspace
from dojo.system.files import load_module
from tests.dojo.trees import ROOT

DEVICE = os.environ.get("BENCH_DEVICE", "cpu")
SIZES = Sizes(batch=8, heads=12, d_in=768, width=768, tokens=int(os.environ.get("BENCH_TOKENS", "128")))
CATALOG = Catalog(ROOT)
K06 = CATALOG.find("multi_head_attention")
MODULE = Workspace(CATALOG).reference(K06)
COMPARISON = Comparison(MODULE.MultiHeadAttention, DEVICE)
IMPLEMENTATIONS = load_module(K06.races).implementations(None, MODULE)


@pytest.mark.parametrize("passes", ["forward", "both"])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=lambda implementation: implementation.name)
def test_attention(benchmark, implementation, passes):
    benchmark.group = f"{passes}, T = {SIZES.tokens}"
    if why := implementation.missing(DEVICE, passes):
        pytest.skip(why)
    (racer,) = COMPARISON.race([implementation], Configuration("float32", passes, SIZES), prove=True).racers
    try:
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
