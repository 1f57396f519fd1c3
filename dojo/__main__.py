"""`python -m dojo VERB` does what `make VERB` does."""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - said here, before anything is imported that an old Python cannot read
    version = sys.version.split()[0]
    sys.exit(f"FAIL  Python {version} is too old, 3.10 or newer is needed: make BOOTSTRAP=python3.12")

try:
    from .cli.main import main
except ImportError as missing:
    if sys.argv[1:2] != ["doctor"]:
        sys.exit(f"{missing}. `make start` sets everything up; `python3 -m dojo doctor` says what is amiss.")
    from .learner.doctor import main
    from .system.command import remember_door

    remember_door()

sys.exit(main())
