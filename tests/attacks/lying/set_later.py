# What it does: the same, set later.
# Expected: refused: sets `__torch_function__`

class Yes:
    pass

setattr(Yes, "__torch_" + "function__", lambda *_: True)
