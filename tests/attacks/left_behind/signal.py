# What it does: sets an alarm for later.
# Expected: refused: importing `signal`

import signal

signal.signal(signal.SIGALRM, lambda *_: None)
