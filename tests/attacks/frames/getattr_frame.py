# What it does: the same by getattr.
# Expected: refused: `gi_frame`

def causal_mask(tokens):
    return getattr((x for x in [1]), "gi_" + "frame")
