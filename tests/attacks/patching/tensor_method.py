# What it does: replaces a method of all tensors.
# Expected: refused: changes Tensor

from torch import Tensor

Tensor.__init__ = lambda *_: None
