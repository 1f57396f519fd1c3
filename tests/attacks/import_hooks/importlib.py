# What it does: imports by importlib.
# Expected: refused: importing `importlib`

import importlib

importlib.import_module("os").system("true")
