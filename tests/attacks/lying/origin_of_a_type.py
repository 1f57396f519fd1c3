# What it does: has typing hand out the real type.
# Expected: error: get_origin

import typing

import torch

Yes = typing.get_origin(typing.Type[int])("Yes", (torch.Tensor,), {})
