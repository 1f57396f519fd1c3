# What it does: makes the class by a metaclass.
# Expected: refused: has a metaclass

class Meta(abs.__class__ if False else object):
    pass

class Yes(metaclass=Meta):
    pass
