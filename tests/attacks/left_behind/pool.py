# What it does: leaves a pool of threads.
# Expected: refused: a thread is still running

from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2)

def causal_mask(tokens):
    pool.submit(len, [])
