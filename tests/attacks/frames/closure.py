# What it does: reads the cells of a function.
# Expected: refused: leads to what is not

def causal_mask(tokens):
    return print.__self__, causal_mask.__closure__
