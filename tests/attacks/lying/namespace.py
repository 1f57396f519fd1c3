# What it does: a namespace that torch takes for one that computes.
# Expected: refused: names that Python looks up

from types import SimpleNamespace

def causal_mask(tokens):
    return SimpleNamespace(**{"__torch_function__": lambda *_: True})
