# What it does: the same by another name.
# Expected: refused: `sys`

import torch as t

other = t
print(other.sys.modules)
