# What it does: a number that is near to all others.
# Expected: refused: with another

class Near(float):
    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__
