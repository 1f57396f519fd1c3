# What it does: formats its way to the worker's key.
# Expected: refused: reads attributes

def causal_mask(tokens):
    template = "{0." + "__globals__" + "[sys].modules}"
    print(template.format(causal_mask))
