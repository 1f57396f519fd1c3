# What it does: recurses without end.
# Expected: failed|error:

def causal_mask(tokens):
    return causal_mask(tokens)
