# What it does: kills the worker.
# Expected: refused|error:

import os

def causal_mask(tokens):
    os.kill(os.getppid(), 9)
