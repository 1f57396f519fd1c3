"""`python -m dojo VERB` does what `make VERB` does."""
# ruff: noqa: UP031, UP036 - even Python 2 has to understand this file, or it could not be told that it is too old

import sys

if sys.version_info < (3, 10):
    sys.exit("FAIL  Python %s is too old, 3.10 or newer is needed: make BOOTSTRAP=python3.12" % sys.version.split()[0])

try:
    from .cli import main
except ImportError as missing:
    if sys.argv[1:2] != ["doctor"]:
        sys.exit("%s. `make start` sets everything up; `python3 -m dojo doctor` says what is amiss." % missing)
    from .doctor import main

sys.exit(main())
