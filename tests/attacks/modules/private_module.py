# What it does: random has os under a private name.
# Expected: refused: `_os`

import random

print(random._os.listdir("/"))
