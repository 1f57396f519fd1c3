# What it does: takes a metaclass from enum.
# Expected: refused|error: EnumMeta|EnumType

import enum

import torch

Yes = enum.EnumMeta("Yes", (torch.Tensor,), {})
