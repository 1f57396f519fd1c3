"""Races of k13: tokens a second by the number of prompts that are continued at once."""

from importlib import import_module

import torch

from dojo.bench.timing import Race, Racer
from dojo.bench.workloads import agrees

VOCABULARY, T, PROMPT, NEW = 65, 64, 16, 16
SIZES = {"emb_dim": 64, "num_heads": 4, "num_layers": 2, "dropout": 0.0}
BATCHES = (1, 8, 64)


def races(kata, reference):
    """The likeliest continuations by a small GPT, for one prompt, for some and for many."""
    gpt = import_module("..k10_gpt_model.gpt_model", reference.__package__)
    torch.manual_seed(0)
    model = gpt.GPT(gpt.GPTConfig(VOCABULARY, T, **SIZES))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5)  # a new model is never sure: rounding alone would choose the token
    for batch in BATCHES:
        prompts = torch.randint(VOCABULARY, (batch, PROMPT))
        ways = {"reference": lambda ids: _written(reference, model, ids)}
        if batch == BATCHES[1]:
            ways["one by one"] = lambda ids: torch.cat([_written(reference, model, row) for row in ids.split(1)])
        ways["inference mode"] = torch.inference_mode()(ways["reference"])
        if kata is not None:
            ways["yours"] = lambda ids: _written(kata, model, ids)
        want = ways["reference"](prompts)
        racers = [_racer(name, write, prompts, want) for name, write in ways.items()]
        yield Race(f"{batch} × {NEW} tokens", racers, work=batch * NEW, unit="tokens")


def _written(kata, model, ids):
    return kata.generate(model, ids, NEW, context_length=T, temperature=0)


def _racer(name, write, prompts, want):
    return Racer(name, lambda: write(prompts), prove=lambda: agrees(lambda: write(prompts), want, "the tokens"))
