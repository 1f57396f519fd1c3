# What it does: writes a module and imports it.
# Expected: refused: importing `mine`

with open("mine.py", "w") as file:
    file.write("import os")

import mine
