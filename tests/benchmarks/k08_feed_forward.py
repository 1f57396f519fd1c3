"""Races of k08: GELU's tanh form written out and in one kernel, and what that is worth in the whole layer."""

import math

import torch
from torch.nn import functional

from dojo.bench.workloads import Using, passes
from dojo.spec.check import copy_parameters

SHAPE = (4, 128, 384)
EXPANSION = 4


def races(kata, reference):
    """The activation by itself, on the hidden layer's width; then both linear layers with it in between."""
    batch, tokens, width = SHAPE
    ways = {"reference": reference.gelu, "x·x·x for x³": _multiplied, "torch": _torch}
    if kata is not None:
        ways["yours"] = kata.gelu
    hidden = (batch, tokens, EXPANSION * width)
    yield from passes(f"GELU {hidden}", ways, torch.randn(hidden), work=math.prod(hidden), unit="entries")
    layer = reference.FeedForward(width, EXPANSION)
    ways = {"reference": layer, "torch's GELU": Using(layer, lambda layer, x: layer.down(_torch(layer.up(x))))}
    if kata is not None:
        ways["yours"] = kata.FeedForward(width, EXPANSION)
        copy_parameters(layer, ways["yours"])
    yield from passes(f"feed-forward {SHAPE}", ways, torch.randn(SHAPE), work=batch * tokens, unit="tokens")


def _multiplied(x):
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + torch.tanh(inner))


def _torch(x):
    return functional.gelu(x, approximate="tanh")
