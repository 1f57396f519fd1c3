# What it does: starts a process.
# Expected: refused: importing `multiprocessing`

import multiprocessing

multiprocessing.Process(target=print).start()
