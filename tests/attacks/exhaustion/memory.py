# What it does: asks for all memory.
# Expected: error: more memory

import torch

def causal_mask(tokens):
    return torch.ones(2**36, dtype=torch.bool)
