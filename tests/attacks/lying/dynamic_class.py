# What it does: makes the class by type.
# Expected: refused: `type` makes a class

import torch

Yes = type("Yes", (torch.Tensor,), {})
