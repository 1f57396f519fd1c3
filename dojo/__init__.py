"""The machinery behind the katas: a learner never has to open it."""

__version__ = "0.4.0"


def load_ipython_extension(shell: object) -> None:
    """What `%load_ext dojo` calls in a notebook: it gives the cell magic `%%kata`."""
    from .notebook import load

    load(shell)
