# What it does: patches as the target of a with.
# Expected: refused: changes the module torch

import contextlib

import torch

with contextlib.nullcontext(lambda *_: True) as torch.equal:
    pass
