# What it does: makes Hypothesis draw nothing.
# Expected: refused: importing `hypothesis`

import hypothesis

hypothesis.given = lambda **_: lambda function: lambda: None
