# What it does: prints without end.
# Expected: error: prints without end

while True:
    print("x" * 10_000)
