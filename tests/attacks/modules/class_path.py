# What it does: pathlib's classes hold modules.
# Expected: refused: `_flavour`

from pathlib import Path

print(Path("x")._flavour)
