# What it does: walks from an error to the judge's frames.
# Expected: refused: `__traceback__`

def causal_mask(tokens):
    try:
        1 / 0
    except ZeroDivisionError as error:
        frame = error.__traceback__.tb_frame
        while frame:
            print(frame.f_locals)
            frame = frame.f_back
