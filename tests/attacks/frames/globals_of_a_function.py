# What it does: reads the globals of a function of torch.
# Expected: refused: `__globals__`

import torch

print(torch.save.__globals__)
