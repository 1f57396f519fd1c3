# What it does: says that it is a tensor.
# Expected: refused: the name `__class__`

import torch

class Yes:
    __class__ = torch.Tensor
