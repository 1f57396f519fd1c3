# What it does: opens the solution.
# Expected: refused: not in its folder

exec_me = open("solutions/k05_causal_attention/causal_attention.py").read()
