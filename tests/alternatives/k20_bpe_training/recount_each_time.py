"""Counts from scratch after each merge, with plain dictionaries; a stream is held back by three pieces."""

import regex

from ..k01_tokens.tokens import BPETokenizer


def split_pieces(text, pattern):
    pieces = {}
    for match in regex.compile(pattern).finditer(text):
        piece = match[0].encode()
        pieces[piece] = pieces.get(piece, 0) + 1
    return pieces


def count_pairs(pieces):
    counts = {}
    for piece, count in pieces.items():
        i = 0
        while i < len(piece) - 1:
            pair = piece[i], piece[i + 1]
            counts[pair] = counts.get(pair, 0) + count
            if i + 2 < len(piece) and pair == (piece[i + 1], piece[i + 2]):
                i += 1  # the second of three alike takes no part in the next pair
            i += 1
    return counts


def merge_pair(pieces, pair):
    new = {}
    for piece, count in pieces.items():
        out = []
        for token in piece:
            if len(out) and out[-1] is not None and (out[-1], token) == pair:
                out[-1] = out[-1] + token
                out.append(None)  # nothing may be merged with what was just made
            else:
                if out and out[-1] is None:
                    out.pop()
                    out.append(token)
                else:
                    out.append(token)
        new[tuple(token for token in out if token is not None)] = count
    return new


def train_bpe(text, vocab_size, pattern, special_tokens=()):
    if vocab_size < 256 + len(special_tokens):
        raise ValueError(f"{vocab_size} < 256 + special tokens = {256 + len(special_tokens)}")
    parts = [text]
    for token in sorted(special_tokens, key=lambda token: -len(token)):
        parts = [new for part in parts for new in part.split(token)]
    pieces = {}
    for part in parts:
        for piece, count in split_pieces(part, pattern).items():
            key = tuple(piece[i : i + 1] for i in range(len(piece)))
            pieces[key] = pieces.get(key, 0) + count
    ranks = {bytes([i]): i for i in range(256)}
    for rank in range(256, vocab_size - len(special_tokens)):
        counts = count_pairs(pieces)
        if not counts:
            break
        most = max(counts.values())
        best = max(pair for pair, count in counts.items() if count == most)
        ranks[best[0] + best[1]] = rank
        pieces = merge_pair(pieces, best)
    return ranks, dict(zip(special_tokens, range(len(ranks), len(ranks) + len(special_tokens))))


class SpecialTokenizer:
    def __init__(self, ranks, pattern, special):
        self.bpe, self.special, self.pattern = BPETokenizer(ranks, pattern), special, pattern
        self.names = {i: token for token, i in special.items()}
        self.tokens = {i: token for token, i in ranks.items()}

    def encode(self, text, allowed_special=()):
        ids, start, at = [], 0, 0
        while at < len(text):
            here = [token for token in allowed_special if text[at:].startswith(token)]
            if not here:
                at += 1
                continue
            ids += self.bpe.encode(text[start:at])
            token = max(here, key=len)
            ids.append(self.special[token])
            start = at = at + len(token)
        return ids + self.bpe.encode(text[start:])

    def decode(self, ids):
        out = bytearray()
        for i in ids:
            out.extend(self.names[i].encode() if i in self.names else self.tokens[i])
        return out.decode("utf-8", "replace")

    def encode_iterable(self, lines):
        buffer = ""
        for line in lines:
            buffer += line
            ends = [match.span() for match in regex.finditer(self.pattern, buffer)]
            for start, end in ends[:-3]:
                yield from self.bpe.encode(buffer[start:end])
            if len(ends) > 3:
                buffer = buffer[ends[-4][1] :]
        yield from self.bpe.encode(buffer)
