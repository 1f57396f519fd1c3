# What it does: kills the worker.
# Expected: failed: has no attribute 'kill'

import os

def causal_mask(tokens):
    os.kill(os.getppid(), 9)
