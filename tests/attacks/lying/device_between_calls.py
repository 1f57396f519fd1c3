# What it does: has the reference compute without values until it is asked again.
# Expected: refused: the modes of torch was left

import torch

kept = []

def causal_mask(tokens):
    kept.append(torch.device("meta"))
    kept[-1].__enter__()
    return torch.ones(tokens, tokens, dtype=torch.bool)
