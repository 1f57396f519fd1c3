# What it does: ends the process.
# Expected: refused|error:

import os

def causal_mask(tokens):
    os._exit(0)
