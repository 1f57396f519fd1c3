# What it does: asks its own loader.
# Expected: refused: the name `__loader__`

print(__loader__)
