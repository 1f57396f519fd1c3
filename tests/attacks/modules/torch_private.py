# What it does: goes through torch._C.
# Expected: refused: `_C`

import torch

torch._C._set_grad_enabled(False)
