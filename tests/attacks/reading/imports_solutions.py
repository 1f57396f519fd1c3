# What it does: imports the solution.
# Expected: refused: importing `solutions

from solutions.k05_causal_attention.causal_attention import *
