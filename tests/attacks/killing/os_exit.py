# What it does: ends the process.
# Expected: failed: has no attribute '_exit'

import os

def causal_mask(tokens):
    os._exit(0)
