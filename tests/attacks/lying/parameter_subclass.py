# What it does: derives from Parameter.
# Expected: refused: derived from Parameter

from torch import nn

class Yes(nn.Parameter):
    pass
