"""Keeps the parts in a linked list and the possible merges in a heap; a whole piece is looked up first."""

import heapq

import regex


class CharTokenizer:
    def __init__(self, text):
        self.stoi, self.itos = {}, {}
        for character in map(chr, range(max(map(ord, text), default=-1) + 1)):
            if character in text:
                i = len(self.stoi)
                self.stoi[character] = i
                self.itos[i] = character
        self.vocab_size = len(self.stoi)

    def encode(self, text):
        strange = [i for i, character in enumerate(text) if character not in self.stoi]
        if strange:
            raise ValueError(f"unknown character {text[strange[0]]!r} (position {strange[0]} of the text)")
        return list(map(self.stoi.get, text))

    def decode(self, ids):
        return "".join(map(self.itos.get, ids))


def bpe_merge(piece, ranks):
    if piece in ranks:
        return [ranks[piece]]
    ends = list(range(1, len(piece) + 1))  # the part that begins at i ends at ends[i]; 0 where none begins
    starts = list(range(-1, len(piece)))  # the part that ends at i begins at starts[i]
    heap = []

    def offer(start):
        if ends[start] < len(piece):
            stop = ends[ends[start]]
            rank = ranks.get(piece[start:stop])
            if rank is not None:
                heapq.heappush(heap, (rank, start, stop))

    for start in range(len(piece) - 1):
        offer(start)
    while heap:
        _, start, stop = heapq.heappop(heap)
        if not ends[start] or ends[start] == len(piece) or ends[ends[start]] != stop:
            continue  # one of the two parts is no longer there
        ends[ends[start]], ends[start] = 0, stop
        starts[stop] = start
        offer(start)
        if start > 0:
            offer(starts[start])
    ids, start = [], 0
    while start < len(piece):
        ids.append(ranks[piece[start : ends[start]]])
        start = ends[start]
    return ids


class BPETokenizer:
    def __init__(self, ranks, pattern):
        self._ranks = dict(ranks)
        self._split = regex.compile(pattern).finditer
        self._tokens = {i: token for token, i in ranks.items()}
        self._known = {}  # pieces that were merged before

    def _ids(self, piece):
        if piece not in self._known:
            self._known[piece] = bpe_merge(piece.encode("utf-8"), self._ranks)
        return self._known[piece]

    def encode(self, text):
        return sum((self._ids(match[0]) for match in self._split(text)), [])

    def decode(self, ids):
        return str(b"".join(map(self._tokens.__getitem__, ids)), "utf-8", "replace")
