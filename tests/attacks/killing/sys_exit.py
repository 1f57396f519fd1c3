# What it does: raises SystemExit.
# Expected: error: ends the program

raise SystemExit(0)
