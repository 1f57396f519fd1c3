# What it does: has torch.load run code.
# Expected: refused: unpickles

import io

import torch

def causal_mask(tokens):
    file = io.BytesIO(b"cos\nsystem\n(S'true'\ntR.")
    return torch.load(file, weights_only=False)
