# What it does: ends the process.
# Expected: refused: `_exit`

import os

def causal_mask(tokens):
    os._exit(0)
