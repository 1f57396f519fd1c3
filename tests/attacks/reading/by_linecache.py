# What it does: asks linecache for the lines.
# Expected: refused: importing `linecache`

import linecache

print(linecache.getlines("solutions/k05_causal_attention/causal_attention.py"))
