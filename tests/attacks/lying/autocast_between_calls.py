# What it does: has the reference compute in few digits until it is asked again.
# Expected: refused: autocast was left

from contextlib import ExitStack

import torch

kept = ExitStack()

def causal_mask(tokens):
    kept.enter_context(torch.autocast("cpu"))
    return torch.ones(tokens, tokens, dtype=torch.bool)
