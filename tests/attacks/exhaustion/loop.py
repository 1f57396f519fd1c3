# What it does: never ends.
# Expected: error: endless loop
# Slow: it has to be stopped.

while True:
    pass
