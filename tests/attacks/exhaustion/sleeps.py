# What it does: waits for ever.
# Expected: error: end
# Slow: it has to be stopped.

import time

def causal_mask(tokens):
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            pass
