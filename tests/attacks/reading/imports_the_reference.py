# What it does: imports the reference by the judge's name for it.
# Expected: refused: importing `_dojo_reference

from _dojo_reference.k05_causal_attention.causal_attention import causal_mask, masked_softmax, dropout
