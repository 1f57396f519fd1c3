# What it does: has all tensors be on a device that holds no values.
# Expected: error: has no attribute 'set_default_device'

import torch

torch.set_default_device("meta")

def causal_mask(tokens):
    return torch.ones(tokens, tokens, dtype=torch.bool)
