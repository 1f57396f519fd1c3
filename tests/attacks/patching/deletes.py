# What it does: deletes what the judge needs.
# Expected: refused: changes the module torch

import torch

del torch.allclose
