# What it does: writes until there is no more room.
# Expected: failed|error:

def causal_mask(tokens):
    for number in range(100):
        with open(f"{number}.bin", "wb") as file:
            file.write(b"0" * (100 << 20))
