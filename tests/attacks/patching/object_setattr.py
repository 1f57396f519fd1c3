# What it does: object.__setattr__ asks nobody.
# Expected: refused: `__setattr__`

import torch

object.__setattr__(torch, "equal", lambda *_: True)
