# What it does: has operator look the name up.
# Expected: refused: by its name

from operator import attrgetter

import torch

print(attrgetter("os.environ")(torch))
