"""`python -m dojo VERB` does what `make VERB` does."""

from .cli import main

main()
