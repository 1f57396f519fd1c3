"""Keeps counts up to date by the neighbours of each merge, on lists of ids; runs of equal tokens are counted again."""

from collections import Counter, defaultdict

import regex

from ..k01_tokens.tokens import BPETokenizer


def split_pieces(text, pattern):
    found = Counter()
    for m in regex.finditer(pattern, text):
        found.update([m.group(0).encode("utf8")])
    return found


def pairs_of(tokens):
    """The pairs that can be merged, run by run."""
    i = 0
    while i + 1 < len(tokens):
        yield tokens[i], tokens[i + 1]
        i += 2 if tokens[i] == tokens[i + 1] and i + 2 < len(tokens) and tokens[i + 2] == tokens[i] else 1


def count_pairs(pieces):
    counts = defaultdict(int)
    for piece, n in pieces.items():
        for pair in pairs_of(piece):
            counts[pair] += n
    return Counter(counts)


def glue(tokens, pair, new):
    out = []
    tokens = list(tokens)
    while tokens:
        if tuple(tokens[:2]) == tuple(pair):
            out.append(new)
            del tokens[:2]
        else:
            out.append(tokens.pop(0))
    return out


def merge_pair(pieces, pair):
    return {tuple(glue(piece, pair, pair[0] + pair[1])): n for piece, n in pieces.items()}


def train_bpe(text, vocab_size, pattern, special_tokens=()):
    low = 256 + len(special_tokens)
    if vocab_size < low:
        raise ValueError(f"vocab_size={vocab_size} < {low}")
    if special_tokens:
        cut = regex.compile("|".join(regex.escape(t) for t in sorted(special_tokens, key=len, reverse=True)))
        parts = cut.split(text)
    else:
        parts = [text]
    words = sum((split_pieces(part, pattern) for part in parts), Counter())
    tokens = [bytes([b]) for b in range(256)]
    pieces = [(list(word), n) for word, n in words.items()]
    counts, where = Counter(), defaultdict(set)
    for at, (piece, n) in enumerate(pieces):
        for pair in pairs_of(piece):
            counts[pair] += n
        for pair in zip(piece, piece[1:]):
            where[pair].add(at)
    while len(tokens) < vocab_size - len(special_tokens):
        counts = +counts
        if not counts:
            break
        best = max(counts, key=lambda p: (counts[p], tokens[p[0]], tokens[p[1]]))
        new = len(tokens)
        tokens.append(tokens[best[0]] + tokens[best[1]])
        for at in where.pop(best):
            piece, n = pieces[at]
            for pair in pairs_of(piece):
                counts[pair] -= n
            piece[:] = glue(piece, best, new)
            for pair in pairs_of(piece):
                counts[pair] += n
            for pair in zip(piece, piece[1:]):
                where[pair].add(at)
    return dict(zip(tokens, range(len(tokens)))), {t: len(tokens) + i for i, t in enumerate(special_tokens)}


class SpecialTokenizer:
    def __init__(self, ranks, pattern, special):
        self._bpe = BPETokenizer(ranks, pattern)
        self._pattern = regex.compile(pattern)
        self._special = dict(special)
        self._id_to_special = {v: k for k, v in special.items()}

    def encode(self, text, allowed_special=()):
        allowed = {t: self._special[t] for t in allowed_special}
        return list(self._walk(text, allowed))

    def _walk(self, text, allowed):
        order = sorted(allowed, key=len, reverse=True)
        while text:
            firsts = [(text.index(t), -len(t), t) for t in order if t in text]
            if not firsts:
                break
            at, _, token = min(firsts)
            yield from self._bpe.encode(text[:at])
            yield allowed[token]
            text = text[at + len(token) :]
        yield from self._bpe.encode(text)

    def decode(self, ids):
        text, plain = "", []
        for i in ids:
            if i in self._id_to_special:
                text += self._bpe.decode(plain) + self._id_to_special[i]
                plain = []
            else:
                plain.append(i)
        return text + self._bpe.decode(plain)

    def encode_iterable(self, lines):
        rest = ""
        for line in lines:
            rest += line
            found = (
                self._pattern.findall(rest)
                if not self._pattern.groups
                else [m[0] for m in self._pattern.finditer(rest)]
            )
            for piece in found[:-2]:
                yield from self._bpe.encode(piece)
            rest = "".join(found[-2:]) if len(found) > 2 else rest
        yield from self._bpe.encode(rest)
