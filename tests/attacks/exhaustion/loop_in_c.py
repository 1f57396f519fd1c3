# What it does: never ends, where no Python runs.
# Expected: error: end
# Slow: it has to be stopped.

import itertools

def causal_mask(tokens):
    return sum(itertools.repeat(0))
