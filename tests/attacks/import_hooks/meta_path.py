# What it does: puts a finder of its own first.
# Expected: error: has no attribute 'meta_path'

import sys

class Finder:
    def find_spec(self, *_): ...

sys.meta_path.insert(0, Finder())
