"""`python -m dojo.grading` does nothing: whoever can start it can start a worker."""
