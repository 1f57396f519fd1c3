"""Functions where others have loops; a stream waits until there is enough text for a few pieces."""

import functools
import operator
from collections import Counter

import regex

from ..k01_tokens import tokens


def split_pieces(text, pattern):
    return Counter(m.group().encode() for m in regex.finditer(pattern, text))


def _step(state, pair):
    """A pair and the one before it, None where that has been passed over."""
    before, found = state
    return (None, found) if pair == before else (pair, [*found, pair])


def count_pairs(pieces):
    def of(piece):
        return functools.reduce(_step, zip(piece, piece[1:]), (None, []))[1]

    return functools.reduce(
        operator.add,
        (Counter({p: c * n for p, c in Counter(of(piece)).items()}) for piece, n in pieces.items()),
        Counter(),
    )


def merge_pair(pieces, pair):
    left, right = pair

    def put(done, token):
        *rest, (last, open_) = done or [(None, False)]
        if open_ and last == left and token == right:
            return [*rest, (left + right, False)]
        return [*done, (token, True)]

    return {tuple(t for t, _ in functools.reduce(put, piece, [])): n for piece, n in pieces.items()}


def train_bpe(text, vocab_size, pattern, special_tokens=()):
    if (least := 256 + len(special_tokens)) > vocab_size:
        raise ValueError(f"vocab_size has to be {least} or more and is {vocab_size}")
    parts = [text]
    if special_tokens:
        longest = sorted(special_tokens, key=len, reverse=True)
        parts = regex.split("(?:" + "|".join(regex.escape(s) for s in longest) + ")", text)
    pieces = Counter()
    for part in parts:
        pieces.update(split_pieces(part, pattern))
    state = {tuple(map(int.to_bytes, p, [1] * len(p), ["big"] * len(p))): n for p, n in pieces.items()}
    merges = []
    counts = count_pairs(state)
    while counts and len(merges) + least < vocab_size:
        (_, best) = max((n, pair) for pair, n in counts.items())
        merges.append(best[0] + best[1])
        state = merge_pair(state, best)
        counts = count_pairs(state)
    ranks = {bytes([b]): b for b in range(256)} | {token: 256 + i for i, token in enumerate(merges)}
    return ranks, {s: len(ranks) + i for i, s in enumerate(special_tokens)}


class SpecialTokenizer:
    def __init__(self, ranks, pattern, special):
        self.inner = tokens.BPETokenizer(ranks, pattern)
        self.ranks, self.pattern = ranks, pattern
        self.special = special

    def encode(self, text, allowed_special=()):
        allowed = [name for name in self.special if name in allowed_special]
        positions = []
        at = 0
        while at < len(text):
            best = ""
            for name in allowed:
                if text.startswith(name, at) and len(name) > len(best):
                    best = name
            if best:
                positions.append((at, best))
            at += len(best) or 1
        ids, start = [], 0
        for at, name in positions:
            ids += [*self.inner.encode(text[start:at]), self.special[name]]
            start = at + len(name)
        return ids + self.inner.encode(text[start:])

    def decode(self, ids):
        ordinary = {v: k for k, v in self.ranks.items()}
        special = {v: k.encode() for k, v in self.special.items()}
        return b"".join(special.get(i) or ordinary[i] for i in ids).decode(errors="replace")

    def encode_iterable(self, lines):
        text = ""
        for line in lines:
            text += line
            if len(text) < 40:
                continue
            ends = [m.end() for m in regex.finditer(self.pattern, text)]
            starts = [m.start() for m in regex.finditer(self.pattern, text)]
            for start, end in zip(starts[:-2], ends[:-2]):
                yield from tokens.bpe_merge(text[start:end].encode(), self.ranks)
            if len(ends) > 2:
                text = text[ends[-3] :]
        yield from self.inner.encode(text)
