"""All pieces in one array with links between tokens; a place for each pair, and buckets by count instead of a heap."""

import itertools
from collections import Counter, defaultdict

import regex

from ..k01_tokens.tokens import BPETokenizer, bpe_merge


def split_pieces(text: str, pattern: str) -> Counter:
    return Counter(map(str.encode, (m[0] for m in regex.finditer(pattern, text))))


def count_pairs(pieces):
    return Counter(
        pair
        for piece, count in pieces.items()
        for pair in itertools.chain.from_iterable(itertools.repeat(p, count) for p in mergeable(piece))
    )


def mergeable(piece):
    """Run-length encoded: a run of n equal tokens holds n // 2 pairs of them."""
    runs = [(token, len(list(group))) for token, group in itertools.groupby(piece)]
    for i, (token, length) in enumerate(runs):
        yield from [(token, token)] * (length // 2)
        if i + 1 < len(runs):
            yield token, runs[i + 1][0]


def merge_pair(pieces, pair):
    def recursive(piece):
        if len(piece) < 2:
            return piece
        if piece[:2] == pair:
            return (pair[0] + pair[1], *recursive(piece[2:]))
        return (piece[0], *recursive(piece[1:]))

    return dict(zip(map(recursive, pieces), pieces.values()))


def train_bpe(text, vocab_size, pattern, special_tokens=()):
    floor = len(special_tokens) + 256
    if floor > vocab_size:
        raise ValueError(f"need at least {floor} tokens, got {vocab_size}")
    escaped = [regex.escape(token, special_only=False) for token in special_tokens]
    escaped.sort(key=lambda token: len(token), reverse=True)
    escaped.sort(key=lambda e: -max(len(t) for t in special_tokens if regex.escape(t, special_only=False) == e))
    pieces = Counter()
    at = 0
    for match in regex.finditer("|".join(escaped), text) if escaped else ():
        pieces += split_pieces(text[at : match.start()], pattern)
        at = match.end()
    pieces += split_pieces(text[at:], pattern)
    state = {tuple(p[i : i + 1] for i in range(len(p))): n for p, n in pieces.items()}
    ranks = dict(zip((i.to_bytes(1, "big") for i in range(256)), range(256)))
    buckets = defaultdict(set)
    counts = count_weighted(state)
    for pair, n in counts.items():
        buckets[n].add(pair)
    while len(ranks) < vocab_size - len(special_tokens):
        top = max((n for n, pairs in buckets.items() if pairs and n > 0), default=0)
        if not top:
            break
        pair = max(buckets[top])
        ranks[pair[0] + pair[1]] = len(ranks)
        touched = {p: n for p, n in state.items() if pair in zip(p, p[1:])}
        after = merge_pair(touched, pair)
        change = count_weighted(after)
        change.subtract(count_weighted(touched))
        state = {p: n for p, n in state.items() if p not in touched} | after
        for changed, by in change.items():
            buckets[counts[changed]].discard(changed)
            counts[changed] += by
            buckets[counts[changed]].add(changed)
    return ranks, {token: i + len(ranks) for i, token in enumerate(special_tokens)}


def count_weighted(pieces):
    counts = Counter()
    for piece, n in pieces.items():
        for pair in mergeable(piece):
            counts[pair] += n
    return counts


class SpecialTokenizer(BPETokenizer):
    def __init__(self, ranks, pattern, special):
        super().__init__(ranks, pattern)
        self.table, self.cut, self.special = ranks, regex.compile(pattern), special

    def encode(self, text, allowed_special=()):
        if not allowed_special:
            return super().encode(text)
        names = "|".join(regex.escape(t) for t in sorted(allowed_special, key=len, reverse=True))
        ids, end = [], 0
        for m in regex.finditer(names, text):
            ids.extend(super().encode(text[end : m.start()]))
            ids.append(self.special[m.group()])
            end = m.end()
        return ids + super().encode(text[end:])

    def decode(self, ids):
        spelt = {i: t for t, i in self.table.items()}
        spelt.update({i: t.encode("utf-8") for t, i in self.special.items()})
        return str(b"".join([spelt[i] for i in ids]), "utf-8", "replace")

    def encode_iterable(self, lines):
        text = ""
        for line in itertools.chain(lines, [None]):
            last = line is None
            text += line or ""
            spans = [m.span() for m in self.cut.finditer(text)]
            sure = spans if last else spans[:-2]
            for a, b in sure:
                yield from bpe_merge(text[a:b].encode("utf-8"), self.table)
            if sure:
                text = text[sure[-1][1] :]
