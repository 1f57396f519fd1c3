# What it does: turns off what sees banned calls.
# Expected: failed: has no attribute 'DisableTorchFunctionSubclass'

import torch

def causal_mask(tokens):
    with torch.DisableTorchFunctionSubclass():
        return torch.zeros(tokens, tokens)
