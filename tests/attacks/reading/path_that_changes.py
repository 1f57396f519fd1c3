# What it does: a path that is another one when it is opened.
# Expected: refused: not in its folder

import os
import tempfile

class Path:
    asked = 0

    def __fspath__(self):
        self.asked += 1
        return os.path.join(tempfile.gettempdir(), "x") if self.asked == 1 else "/etc/passwd"

def causal_mask(tokens):
    path = Path()
    open(path, "w").close()
    print(open(path).read())
