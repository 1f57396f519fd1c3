# What it does: takes a metaclass from enum.
# Expected: error: EnumMeta

import enum

import torch

Yes = enum.EnumMeta("Yes", (torch.Tensor,), {})
