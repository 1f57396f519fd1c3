# What it does: makes the class by the type in an annotation.
# Expected: refused: `type` makes a class

import torch

Yes = type[int]("Yes", (torch.Tensor,), {})
