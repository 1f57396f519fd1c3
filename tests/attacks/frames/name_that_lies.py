# What it does: a name that is another one when it is looked at.
# Expected: failed: attribute name must be string

class Name(str):
    def __str__(self):
        return "shape"

def causal_mask(tokens):
    return getattr(causal_mask, Name("__globals__"))
