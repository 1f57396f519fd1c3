# What it does: returns a tensor that answers yes.
# Expected: refused: derived from Tensor

import torch

class Yes(torch.Tensor):
    pass

def causal_mask(tokens):
    return torch.ones(tokens, tokens).as_subclass(Yes)
