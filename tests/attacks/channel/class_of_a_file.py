# What it does: takes the class of open files, which opens numbers.
# Expected: refused: opens others by their number

def causal_mask(tokens):
    with open("mine", "wb", buffering=0) as file:
        pipe = type(file)(5, "w", closefd=False)
    pipe.write(b"{}")
