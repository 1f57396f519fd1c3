# What it does: forks, so that two hand a verdict in.
# Expected: failed: has no attribute 'fork'

import os

def causal_mask(tokens):
    os.fork()
