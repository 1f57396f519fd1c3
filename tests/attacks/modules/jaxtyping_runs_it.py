# What it does: has jaxtyping run a string.
# Expected: failed: is None

import torch
from jaxtyping import Float

def causal_mask(tokens):
    print(isinstance(torch.zeros(2), Float[torch.Tensor, "__import__('os').system('true')"]))
