# What it does: catches what ends a search, and raises it again later.
# Expected: failed|error:
# Slow: it has to be stopped.

caught = []

def causal_mask(tokens):
    try:
        while not caught:
            pass
    except BaseException as error:
        caught.append(error)
    raise caught[0]
