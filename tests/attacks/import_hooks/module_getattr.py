# What it does: answers for every name of the module.
# Expected: refused: the name `__getattr__`

def __getattr__(name):
    return lambda *_, **__: True
