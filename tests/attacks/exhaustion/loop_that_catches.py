# What it does: never ends, and catches what would end it.
# Expected: error: come to an end
# Slow: it has to be stopped.

def causal_mask(tokens):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
