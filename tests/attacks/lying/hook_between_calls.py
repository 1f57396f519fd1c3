# What it does: hooks all modules when it is made, to give back what the reference answered.
# Expected: refused: the hooks of all modules was left

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

seen = []

def causal_mask(tokens):
    seen.append(register_module_forward_hook(lambda module, inputs, output: seen.append(output)))
    return torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
