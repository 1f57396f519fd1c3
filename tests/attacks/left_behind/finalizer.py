# What it does: has something done when an object goes.
# Expected: refused: the name `__del__`

class Last:
    def __del__(self):
        print("gone")
