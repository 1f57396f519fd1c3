# What it does: hangs a hook on a tensor that the reference gets too.
# Expected: refused: `register_hook`

def masked_softmax(scores, mask):
    scores.register_hook(lambda gradient: gradient * 0)
    return scores

def causal_mask(tokens):
    return masked_softmax(tokens, None)
