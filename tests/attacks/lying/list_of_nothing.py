# What it does: a list that is as long as is wanted.
# Expected: refused: with another

class Long(list):
    def __len__(self):
        return 4
