# What it does: writes into the namespace of a module.
# Expected: refused: `vars`

import torch

vars(torch)["equal"] = lambda *_: True
