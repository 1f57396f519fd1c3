# What it does: equals whatever it is compared with.
# Expected: refused: the name `__eq__`

class Yes:
    def __eq__(self, other):
        return True
