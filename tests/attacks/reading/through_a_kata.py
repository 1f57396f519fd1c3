# What it does: goes through a kata that stands in to its modules.
# Expected: error|refused:

from ..k04_self_attention.self_attention import torch

print(torch.os.listdir("/"))
