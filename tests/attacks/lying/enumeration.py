# What it does: an enumeration made by a call, with any names.
# Expected: refused: no class statement

from enum import Enum

def causal_mask(tokens):
    return Enum("Yes", {"__eq__": lambda self, other: True, "A": 1}).A
