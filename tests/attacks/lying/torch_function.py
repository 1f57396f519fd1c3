# What it does: a class that torch asks how to compute.
# Expected: refused: the name `__torch_function__`

class Yes:
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
