# What it does: links to the solution in its own folder.
# Expected: refused: which is not in its folder

from pathlib import Path

Path("mine.py").symlink_to("/etc/passwd")
print(Path("mine.py").read_text())
