"""Take from Python what Windows does not have: imported by every process whose PYTHONPATH begins with this folder.

`sys.platform` and `os.name` stay, since the standard library and torch go by them; the machinery goes by what is there.
"""

import os
import signal
import sys

MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
OS = ("fork", "forkpty", "getpgid", "killpg", "setpgid", "setsid")
SIGNAL = ("SIGALRM", "SIGHUP", "SIGPROF", "SIGWINCH", "SIGXCPU", "alarm", "getitimer", "setitimer")

for name in MODULES:
    sys.modules[name] = None  # importing it raises ImportError
for module, names in ((os, OS), (signal, SIGNAL)):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
