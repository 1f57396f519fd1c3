# What it does: makes the class by a metaclass.
# Expected: refused: has a metaclass

class Meta:
    pass

class Yes(metaclass=Meta):
    pass
