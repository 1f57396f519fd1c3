# What it does: tells numpy an address.
# Expected: refused: the name `__array_interface__`

class Memory:
    __array_interface__ = {"data": (4096, False), "shape": (8,), "typestr": "|u1", "version": 3}
