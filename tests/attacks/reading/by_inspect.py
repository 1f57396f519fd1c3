# What it does: asks for the source of the reference.
# Expected: refused: importing `inspect`

import inspect

print(inspect.getsource(inspect))
