"""A piece is cut at places, and each merge takes a cut away."""

import regex


class CharTokenizer:
    def __init__(self, text):
        chars = sorted(set(text))
        self.vocab_size = len(chars)
        self.stoi = {c: i for i, c in enumerate(chars)}
        self.itos = chars

    def encode(self, text):
        out = []
        for i, c in enumerate(text):
            if c not in self.stoi:
                raise ValueError(f"{c!r} at {i}")
            out.append(self.stoi[c])
        return out

    def decode(self, ids):
        return "".join([self.itos[i] for i in ids])


def bpe_merge(piece, ranks):
    cuts = list(range(len(piece) + 1))
    while len(cuts) > 2:
        joined = [piece[a:b] for a, b in zip(cuts, cuts[2:])]
        spans = [(ranks[token], i) for i, token in enumerate(joined) if token in ranks]
        if not spans:
            break
        del cuts[min(spans)[1] + 1]
    return [ranks[piece[a:b]] for a, b in zip(cuts, cuts[1:])]


class BPETokenizer:
    def __init__(self, ranks, pattern):
        self.ranks, self.pattern = ranks, pattern
        self.back = {v: k for k, v in ranks.items()}

    def encode(self, text):
        out = []
        for match in regex.compile(self.pattern).finditer(text):
            out += bpe_merge(match[0].encode("utf8"), self.ranks)
        return out

    def decode(self, ids):
        return b"".join(self.back[i] for i in ids).decode("utf-8", "replace")
