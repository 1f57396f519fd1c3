# What it does: has a pattern read the attribute.
# Expected: refused: `__globals__`

def causal_mask(tokens):
    match causal_mask:
        case object(__globals__=names):
            return names
