# What it does: calls str.format itself.
# Expected: refused: reads attributes

def causal_mask(tokens):
    print(str.format("{0.__globals__}", causal_mask))
