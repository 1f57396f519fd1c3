"""Races of k06: a few of the attentions that `make bench` races, at one small size."""

import torch

from dojo.bench.attention import Sizes, implementations
from dojo.bench.comparison import Comparison, Configuration

SIZES = Sizes(batch=4, heads=12, d_in=384, width=384, tokens=128)
NAMES = ("reference", "yours", "single heads", "one QKV product", "sdpa, is_causal")


def races(kata, reference):
    """The wrapper of single heads against one projection for all, one product for all three, and fused attention."""
    attention, wrapper = reference.MultiHeadAttention, reference.MultiHeadAttentionWrapper
    comparison = Comparison(attention, torch.empty(0).device.type)
    known = implementations(attention, wrapper, kata and kata.MultiHeadAttention)
    for passes in ("forward", "both"):
        chosen = [implementation for implementation in known if implementation.name in NAMES]
        yield comparison.race(chosen, Configuration("float32", passes, SIZES), prove=True)
