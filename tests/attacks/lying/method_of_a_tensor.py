# What it does: gives one tensor another method.
# Expected: refused: in the place of

import torch

def causal_mask(tokens):
    mask = torch.zeros(tokens, tokens, dtype=torch.bool)
    mask.detach = lambda: torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    return mask
