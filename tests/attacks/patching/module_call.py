# What it does: replaces how modules are called.
# Expected: refused: changes Module

from torch import nn

nn.Module.forward = nn.Linear.forward = lambda self, x: x
