# What it does: raises KeyboardInterrupt.
# Expected: error: ends the program

def causal_mask(tokens):
    raise KeyboardInterrupt
