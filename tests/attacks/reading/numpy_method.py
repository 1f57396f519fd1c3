# What it does: asks a tensor for an array, which reads memory anywhere.
# Expected: refused: way to all memory

import torch

def causal_mask(tokens):
    return torch.zeros(tokens, tokens).numpy()
