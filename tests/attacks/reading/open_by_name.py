# What it does: opens the solution.
# Expected: error|refused: solutions/k05

exec_me = open("solutions/k05_causal_attention/causal_attention.py").read()
