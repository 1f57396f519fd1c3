# What it does: has typing run a string.
# Expected: error: get_type_hints

import typing

def f(x: "__import__('os').system('true')"): ...

typing.get_type_hints(f)
