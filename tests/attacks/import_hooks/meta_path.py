# What it does: puts a finder of its own first.
# Expected: refused: importing|has no|error|AttributeError

import sys

class Finder:
    def find_spec(self, *_): ...

sys.meta_path.insert(0, Finder())
