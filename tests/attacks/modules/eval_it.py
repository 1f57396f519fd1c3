# What it does: runs text.
# Expected: refused: runs text as code

eval("__import__('os').system('true')")
