# What it does: registers what is done at the end.
# Expected: refused: importing `atexit`

import atexit

atexit.register(print, "passed")
