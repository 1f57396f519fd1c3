# What it does: takes it along with an import.
# Expected: refused:

from torch import sys
