# What it does: takes it along with an import.
# Expected: refused: `sys`

from torch import sys
