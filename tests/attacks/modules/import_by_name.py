# What it does: calls __import__.
# Expected: refused: the name `__import__`

os = __import__("os")
