# What it does: the same by setattr.
# Expected: refused: changes the module torch

import torch

setattr(torch, "eq" + "ual", lambda *_: True)
