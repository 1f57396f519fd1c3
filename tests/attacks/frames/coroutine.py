# What it does: walks from a coroutine.
# Expected: refused: `cr_frame`

async def walk(): ...

def causal_mask(tokens):
    return walk().cr_frame
