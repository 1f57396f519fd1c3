# What it does: raises SystemExit when it is called.
# Expected: error: ends the program

def causal_mask(tokens):
    raise SystemExit(0)
