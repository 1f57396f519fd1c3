# What it does: the same with a name put together.
# Expected: refused: `os`

import torch

print(getattr(torch, "o" + "s"))
