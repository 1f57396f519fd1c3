# What it does: one operation that takes for ever.
# Expected: error: end
# Slow: it has to be stopped.

def causal_mask(tokens):
    return 7 ** 7 ** 10 % 10
