# What it does: returns a tensor without values.
# Expected: failed:

import torch

def causal_mask(tokens):
    return torch.empty(tokens, tokens, dtype=torch.bool, device="meta")
