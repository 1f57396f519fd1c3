"""Races of k12: what a training step costs, with and without clipping, and with a fused optimizer."""

from importlib import import_module

import torch

from dojo.bench.timing import Race, Racer
from dojo.bench.workloads import agrees

VOCABULARY, T, BATCH = 65, 32, 8
SIZES = {"emb_dim": 64, "num_heads": 4, "num_layers": 2, "dropout": 0.0}
NO_LIMIT = 1e9  # clipping measures the norm, and has nothing to cut off: so the steps stay the same
STEPS = 3  # that all have to take alike


def races(kata, reference):
    """One step of a small GPT, each racer with a model and an optimizer of its own."""
    gpt = import_module("..k10_gpt_model.gpt_model", reference.__package__)
    x, y = torch.randint(VOCABULARY, (2, BATCH, T))
    want = _losses(_stepper(gpt, reference.train_step, x, y))
    ways = {
        "reference": _stepper(gpt, reference.train_step, x, y),
        "clipped": _stepper(gpt, reference.train_step, x, y, NO_LIMIT),
        "fused AdamW": _stepper(gpt, reference.train_step, x, y, fused=True),
        "fused AdamW, clipped": _stepper(gpt, reference.train_step, x, y, NO_LIMIT, fused=True),
    }
    if kata is not None:
        ways["yours"] = _stepper(gpt, kata.train_step, x, y)
    racers = [_racer(name, step, want) for name, step in ways.items()]
    yield Race(f"train_step, {BATCH} · {T} tokens", racers, work=1, unit="steps")


def _stepper(gpt, train_step, x, y, limit=None, **options):
    """One step of training a new model, which is the same for all."""
    torch.manual_seed(0)
    model = gpt.GPT(gpt.GPTConfig(VOCABULARY, T, **SIZES))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, **options)
    return lambda: train_step(model, optimizer, x, y, limit)


def _losses(step):
    return torch.tensor([step() for _ in range(STEPS)])


def _racer(name, step, want):
    return Racer(name, step, prove=lambda: agrees(lambda: _losses(step), want, "the loss of the first steps", 1e-4))
