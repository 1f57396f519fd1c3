# What it does: goes through a kata that stands in to its modules.
# Expected: error: torch

from ..k04_self_attention.self_attention import torch

print(torch.os.listdir("/"))
