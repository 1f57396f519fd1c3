# What it does: has numpy read the file.
# Expected: refused: importing `numpy`

import numpy as np

np.fromfile("/etc/passwd", dtype=np.uint8, count=-1)
