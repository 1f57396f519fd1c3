"""Hostile submissions of k05, by kind, each with what must come of it. `python -m tests.attacks` runs them all."""
