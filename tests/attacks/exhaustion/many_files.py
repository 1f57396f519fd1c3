# What it does: makes files until there are no more names.
# Expected: failed|error:

def causal_mask(tokens):
    for number in range(100_000):
        open(f"{number}.txt", "w").close()
