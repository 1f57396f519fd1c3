# What it does: starts threads without end.
# Expected: refused|failed|error:
# Slow: it has to be stopped.

import threading
import time

def causal_mask(tokens):
    while True:
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
