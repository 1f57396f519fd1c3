# What it does: links to the solution in its own folder.
# Expected: refused: |AttributeError

from pathlib import Path

Path("mine.py").symlink_to("/etc/passwd")
print(Path("mine.py").read_text())
