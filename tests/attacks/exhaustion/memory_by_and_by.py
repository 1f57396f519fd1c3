# What it does: takes all memory by and by.
# Expected: error:

def causal_mask(tokens):
    kept = []
    while True:
        kept.append(bytearray(1 << 24))
