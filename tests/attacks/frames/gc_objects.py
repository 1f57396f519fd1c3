# What it does: looks through all objects.
# Expected: refused: importing `gc`

import gc

for value in gc.get_objects():
    if getattr(value, "__name__", "") == "causal_mask":
        causal_mask = value
