# What it does: replaces torch.equal.
# Expected: refused: changes the module torch

import torch

torch.equal = lambda *_: True
