# What it does: forks, so that two hand a verdict in.
# Expected: refused|error:

import os

def causal_mask(tokens):
    os.fork()
