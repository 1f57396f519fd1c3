# What it does: reads the process's memory as a file.
# Expected: refused: not in its folder

from pathlib import Path

def causal_mask(tokens):
    with Path("/proc/self/mem").open("rb") as file:
        file.seek(0x400000)
        print(file.read(100))
