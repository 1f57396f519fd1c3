"""Tokens are characters of one's own, pieces are strings: `str.count` and `str.replace` do the work."""

from collections import Counter

import regex

from ..k01_tokens.tokens import bpe_merge


def split_pieces(text, pattern):
    return Counter(str(m.group()).encode() for m in regex.finditer(pattern, text))


def _spelt(pieces):
    tokens = sorted({token for piece in pieces for token in piece})
    letter = {token: chr(0x4E00 + i) for i, token in enumerate(tokens)}
    return tokens, letter, {"".join(letter[token] for token in piece): count for piece, count in pieces.items()}


def count_pairs(pieces):
    tokens, _, words = _spelt(pieces)
    counts = Counter()
    for word, count in words.items():
        for pair in {word[i : i + 2] for i in range(len(word) - 1)}:
            left, right = (tokens[ord(character) - 0x4E00] for character in pair)
            counts[left, right] += count * word.count(pair)
    return counts


def merge_pair(pieces, pair):
    tokens, letter, words = _spelt(pieces)
    if not all(token in letter for token in pair):
        return dict(pieces)
    old, new = letter[pair[0]] + letter[pair[1]], chr(0x4E00 + len(tokens))
    tokens.append(pair[0] + pair[1])
    return {
        tuple(tokens[ord(character) - 0x4E00] for character in word.replace(old, new)): count
        for word, count in words.items()
    }


def train_bpe(text, vocab_size, pattern, special_tokens=()):
    needed = 256 + len(special_tokens)
    if vocab_size < needed:
        raise ValueError(f"a vocabulary of {vocab_size} tokens: at least {needed} are needed")
    for token in sorted(special_tokens, key=len)[::-1]:
        text = text.replace(token, "\ue000")  # a private character, on which no text is cut twice
    words = Counter()
    for part in text.split("\ue000"):
        for piece, count in split_pieces(part, pattern).items():
            words[piece.decode("latin-1")] += count
    tokens = [bytes([i]) for i in range(256)]
    while len(tokens) + len(special_tokens) < vocab_size:
        counts = Counter()
        for word, count in words.items():
            for pair in {a + b for a, b in zip(word, word[1:])}:
                counts[pair] += word.count(pair) * count
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], tokens[ord(pair[0])], tokens[ord(pair[1])]))
        words = Counter({word.replace(best, chr(len(tokens))): count for word, count in words.items()})
        tokens.append(tokens[ord(best[0])] + tokens[ord(best[1])])
    ranks = {token: i for i, token in enumerate(tokens)}
    return ranks, {token: i for i, token in enumerate(special_tokens, len(tokens))}


class SpecialTokenizer:
    def __init__(self, ranks, pattern, special):
        self.ranks = ranks
        self.special = special
        self.pattern = pattern
        self.back = {**{i: t for t, i in ranks.items()}, **{i: t.encode() for t, i in special.items()}}

    def _plain(self, text):
        return [i for m in regex.finditer(self.pattern, text) for i in bpe_merge(m[0].encode(), self.ranks)]

    def encode(self, text, allowed_special=()):
        names = sorted(set(allowed_special) & set(self.special), key=lambda name: (-len(name), name))
        for name in names:
            before, found, after = text.partition(name)
            first = min((text.find(other) for other in names if other in text), default=-1)
            if not found or text.find(name) != first:
                continue
            longer = [other for other in names if len(other) > len(name) and text.startswith(other, first)]
            if longer:
                continue
            return self._plain(before) + [self.special[name]] + self.encode(after, allowed_special)
        return self._plain(text)

    def decode(self, ids):
        return b"".join(map(self.back.get, ids)).decode("utf-8", errors="replace")

    def encode_iterable(self, lines):
        waiting = ""
        for line in lines:
            waiting += line
            pieces = [m for m in regex.finditer(self.pattern, waiting)]
            while len(pieces) > 2:
                m = pieces.pop(0)
                yield from bpe_merge(m[0].encode(), self.ranks)
                if len(pieces) == 2:
                    waiting = waiting[m.end() :]
        yield from self._plain(waiting)
