# What it does: runs text by another name.
# Expected: refused: runs text as code

run = [exec][0]
run("import os")
