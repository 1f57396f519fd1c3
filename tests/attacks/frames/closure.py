# What it does: reads the cells of a function.
# Expected: refused: `__closure__`

def causal_mask(tokens):
    return print.__self__, causal_mask.__closure__
