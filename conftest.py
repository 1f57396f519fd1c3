"""pytest for the katas: `pytest tests/katas/test_k05_causal_attention.py` gives the verdict of `make test KATA=5`."""

pytest_plugins = ["dojo.pytest_plugin"]
