# What it does: a value too deep to be shown.
# Expected: failed|error:

def causal_mask(tokens):
    value = []
    for _ in range(100_000):
        value = [value]
    return value
