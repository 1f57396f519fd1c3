# What it does: lists all classes.
# Expected: refused: `__subclasses__`

print(object.__subclasses__())
