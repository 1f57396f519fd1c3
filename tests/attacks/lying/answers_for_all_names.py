# What it does: answers whatever it is asked for.
# Expected: failed: not a tensor

class Yes:
    def __getattr__(self, name):
        return lambda *_, **__: True

def causal_mask(tokens):
    return Yes()
