# What it does: leaves a thread running that goes on patching.
# Expected: refused: a thread is still running

import threading
import time

def causal_mask(tokens):
    threading.Thread(target=lambda: [time.sleep(0.1) for _ in range(10**6)], daemon=True).start()
