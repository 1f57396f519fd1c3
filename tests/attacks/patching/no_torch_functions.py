# What it does: turns off what sees banned calls.
# Expected: refused|failed|error: DisableTorchFunction

import torch

def causal_mask(tokens):
    with torch.DisableTorchFunctionSubclass():
        return torch.zeros(tokens, tokens)
