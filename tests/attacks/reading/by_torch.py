# What it does: has torch read the bytes, where Python does not look on.
# Expected: error|refused: /etc/passwd

import torch

torch.from_file("/etc/passwd", size=10, dtype=torch.uint8)
