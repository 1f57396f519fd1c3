# What it does: replaces Tensor.abs while it is called.
# Expected: refused: changes Tensor

import torch

def causal_mask(tokens):
    torch.Tensor.abs = lambda self: self * 0
    return torch.zeros(tokens, tokens, dtype=torch.bool)
