"""Walks through the table in the order of its ranks and merges each token everywhere; itos is a list."""

import regex


class CharTokenizer:
    def __init__(self, text):
        self.itos = sorted({*text})
        self.stoi = dict(zip(self.itos, range(len(self.itos))))
        self.vocab_size = len(self.itos)

    def encode(self, text):
        ids = []
        for where, character in enumerate(text):
            try:
                ids.append(self.stoi[character])
            except KeyError:
                known = "".join(self.itos)
                raise ValueError(f"text[{where}] is {character}, which is none of {known!r}") from None
        return ids

    def decode(self, ids):
        text = ""
        for i in ids:
            text += self.itos[i]
        return text


def bpe_merge(piece, ranks):
    parts = [piece[i : i + 1] for i in range(len(piece))]
    for token in sorted((token for token in ranks if len(token) > 1), key=ranks.get):
        merged = []
        for part in parts:
            if merged and merged[-1] + part == token and len(merged[-1]) < len(token):
                merged[-1] = token
            else:
                merged.append(part)
        parts = merged
    return list(map(ranks.__getitem__, parts))


class BPETokenizer:
    def __init__(self, ranks, pattern):
        self.ranks, self.pattern = ranks, pattern
        self.bytes_of = dict(zip(ranks.values(), ranks.keys()))

    def encode(self, text):
        pieces = regex.findall(self.pattern, text)
        return [i for piece in pieces for i in bpe_merge(piece.encode(), self.ranks)]

    def decode(self, ids):
        whole = bytearray()
        for i in ids:
            whole.extend(self.bytes_of[i])
        return whole.decode(errors="replace")
