# What it does: reads address 0.
# Expected: refused: importing `ctypes`

import ctypes

ctypes.string_at(0)
