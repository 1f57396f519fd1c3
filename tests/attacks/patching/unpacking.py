# What it does: patches as the target of a loop.
# Expected: refused: changes the module torch

import torch

for torch.equal in [lambda *_: True]:
    pass
