# What it does: enters a device and does not leave it.
# Expected: refused: modes of torch

from contextlib import ExitStack

import torch

kept = ExitStack()

def causal_mask(tokens):
    kept.enter_context(torch.device("meta"))
    return torch.empty(tokens, tokens, dtype=torch.bool)
