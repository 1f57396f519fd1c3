# What it does: imports this very kata, hoping for the reference.
# Expected: error: cannot import name

from ..k05_causal_attention.causal_attention import causal_mask, masked_softmax, dropout, CausalAttention
