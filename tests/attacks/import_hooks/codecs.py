# What it does: registers a codec.
# Expected: refused: importing `codecs`

import codecs

codecs.register(lambda name: None)
