# What it does: formats its way along frames, whose names have no underscores.
# Expected: refused: reads attributes

def causal_mask(tokens):
    generator = (x for x in [1])
    print("{0.gi_frame.f_back.f_locals}".format(generator))
