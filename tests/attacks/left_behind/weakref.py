# What it does: the same by weakref.
# Expected: refused: importing `weakref`

import weakref

weakref.finalize(print, print)
