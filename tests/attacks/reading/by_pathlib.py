# What it does: looks for the solution everywhere.
# Expected: refused|failed:

from pathlib import Path

def causal_mask(tokens):
    for root in (Path("/"), Path("/home"), Path("/srv")):
        for path in root.rglob("causal_attention.py"):
            print(path.read_text())
