# What it does: replaces the judge's check.
# Expected: refused: importing `dojo

from dojo.spec import check

check.equal = lambda *_, **__: None
