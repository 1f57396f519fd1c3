# What it does: walks from a generator to its frame.
# Expected: refused: `gi_frame`

def causal_mask(tokens):
    def walk():
        yield
    return walk().gi_frame.f_back
