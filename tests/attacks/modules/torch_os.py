# What it does: goes from torch to os.
# Expected: refused: `os`

import torch

print(torch.os.environ)
