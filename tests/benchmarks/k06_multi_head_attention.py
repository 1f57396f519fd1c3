"""Races of k06: a few of the attentions that `make bench` races, at one small size."""

import torch

from dojo.bench.attention import Sizes
from dojo.bench.implementations import Proof, entrants
from dojo.bench.timing import Race
from dojo.bench.workloads import Cell, Stable

SIZES = Sizes(batch=4, heads=12, d_in=384, width=384, tokens=128)
NAMES = ("reference", "yours", "single heads", "one QKV product", "sdpa, is_causal")


def races(kata, reference):
    """The wrapper of single heads against one projection for all, one product for all three, and fused attention."""
    device = torch.empty(0).device.type
    attention = reference.MultiHeadAttention
    field = entrants(attention, reference.MultiHeadAttentionWrapper, kata and kata.MultiHeadAttention)
    for cell in (Cell("float32", passes, SIZES.tokens) for passes in ("forward", "both")):
        stable = Stable(attention, device, cell, SIZES)
        proof = Proof(attention, device, torch.float32)
        racers = [_racer(one, stable, proof) for one in field if one.name in NAMES]
        yield Race(cell.words, racers, work=SIZES.batch * SIZES.tokens, unit="tokens")


def _racer(one, stable, proof):
    racer = stable.racer(one)
    get_ready = racer.prove

    def prove():
        proof.demand(one)
        get_ready()
        if one.name in stable.memory:
            racer.figures["peak MB"] = stable.memory[one.name]["peak_bytes"] / 1e6

    racer.prove = prove
    return racer
