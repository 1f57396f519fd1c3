# What it does: replaces len for everybody.
# Expected: refused: importing `builtins`

import builtins

builtins.len = lambda *_: 0
