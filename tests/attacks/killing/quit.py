# What it does: calls quit.
# Expected: refused: ends the program

quit()
