# What it does: has functools.wraps write into a class of torch.
# Expected: refused: not its own

from functools import wraps
from types import SimpleNamespace

from torch import Tensor

wraps(SimpleNamespace(abs=lambda self: self * 0), assigned=["abs"], updated=())(Tensor)
