# What it does: raises an exception that looks like a pass.
# Expected: failed:

class Passed(BaseException):
    verdict = "passed"

def causal_mask(tokens):
    raise Passed("passed")
