# What it does: makes an object of a few bytes.
# Expected: refused: importing `numpy`

import numpy as np

def causal_mask(tokens):
    return np.ndarray((1,), dtype=object, buffer=bytearray(b"12345678"))[0]
