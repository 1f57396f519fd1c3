# What it does: replaces a method of all tensors.
# Expected: refused: sets `__init__`

from torch import Tensor

Tensor.__init__ = lambda *_: None
