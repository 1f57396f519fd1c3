# What it does: has format_map read attributes.
# Expected: refused: reads attributes

def causal_mask(tokens):
    print("{f.__globals__}".format_map({"f": causal_mask}))
