# What it does: the same by __builtins__.
# Expected: refused: the name `__builtins__`

__builtins__["len"] = lambda *_: 0
