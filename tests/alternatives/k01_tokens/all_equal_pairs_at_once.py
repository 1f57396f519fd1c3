"""Merges every occurrence of the best token in one pass, recursively; sorts characters by code point with numpy."""

import numpy as np
import regex


class CharTokenizer:
    def __init__(self, text):
        points = np.unique(np.array([ord(character) for character in text], dtype=np.int64))
        self.itos = tuple(chr(point) for point in points)
        self.stoi = {character: self.itos.index(character) for character in self.itos}

    @property
    def vocab_size(self):
        return len(self.stoi)

    def encode(self, text):
        for i in range(len(text)):
            if text[i] not in self.stoi:
                raise ValueError(f"cannot encode {text[i]!a} at index {i}; the vocabulary has {self.vocab_size} others")
        return [self.stoi[character] for character in text]

    def decode(self, ids):
        characters = [self.itos[i] for i in ids]
        return str.join("", characters)


def best_pair(parts, ranks):
    found = [ranks[a + b] for a, b in zip(parts, parts[1:]) if a + b in ranks]
    return min(found) if found else None


def merged(parts, ranks, rank):
    if len(parts) < 2:
        return parts
    first, second, *rest = parts
    if ranks.get(first + second) == rank:
        return (first + second, *merged(tuple(rest), ranks, rank))
    return (first, *merged(parts[1:], ranks, rank))


def bpe_merge(piece, ranks):
    parts = tuple(piece[i : i + 1] for i in range(len(piece)))
    while (rank := best_pair(parts, ranks)) is not None:
        parts = merged(parts, ranks, rank)
    return [ranks[part] for part in parts]


class BPETokenizer:
    def __init__(self, ranks, pattern):
        self.encoder = ranks
        self.decoder = [token for token, _ in sorted(ranks.items(), key=lambda item: item[1])]
        self.pattern = regex.compile(pattern, flags=regex.UNICODE)

    def encode(self, text):
        result, at = [], 0
        while at < len(text):
            match = self.pattern.match(text, at)
            result.extend(bpe_merge(bytes(match.group(0), "utf8"), self.encoder))
            at = match.end()
        return result

    def decode(self, ids):
        return b"".join([self.decoder[i] for i in ids]).decode("utf8", "replace")
