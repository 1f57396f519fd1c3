# What it does: the same by the class of an array.
# Expected: refused: importing `numpy`

import numpy as np

def causal_mask(tokens):
    return type(np.zeros(1))((1,), object, bytearray(b"12345678"))[0]
