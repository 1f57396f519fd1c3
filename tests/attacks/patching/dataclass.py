# What it does: has dataclass write __eq__ into a class of torch.
# Expected: refused: not its own

from dataclasses import dataclass

import torch

dataclass(torch.Size)
