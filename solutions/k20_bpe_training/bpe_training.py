"""BPE training: learn from a text which bytes become tokens together, and keep special tokens out of it."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import regex

from ..k01_tokens.tokens import BPETokenizer, bpe_merge


class LargerFirst(tuple):
    """A pair that comes before all smaller ones, for whoever keeps pairs in a heap: `heapq` has the smallest on top."""

    __lt__ = tuple.__gt__


def split_pieces(text: str, pattern: str) -> Counter[bytes]:
    """Return the pieces of a text, as UTF-8, each with how often it occurs.

    A piece is what `pattern`, written for the package `regex`, matches as a whole; what it leaves out is no piece.
    """
    # <solution step=1>
    pieces = Counter(match.group() for match in regex.finditer(pattern, text))
    return Counter({piece.encode("utf-8"): count for piece, count in pieces.items()})
    # </solution>


def count_pairs(pieces: Mapping[tuple[bytes, ...], int]) -> Counter[tuple[bytes, bytes]]:
    """Return how often each pair of neighbouring tokens occurs.

    `pieces` holds pieces as tuples of tokens, each with how often it occurs. What counts is how often a pair can be
    merged, from left to right: in a a a the pair (a, a) occurs once, in a a a a twice.

    Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", section 3.2.
    """
    # <solution step=2>
    counts: Counter[tuple[bytes, bytes]] = Counter()
    for piece, count in pieces.items():
        before = None
        for pair in pairwise(piece):
            if pair == before:
                before = None  # it shares a token with the one before, which takes it
            else:
                counts[pair] += count
                before = pair
    return counts
    # </solution>


def merge_pair(pieces: Mapping[tuple[bytes, ...], int], pair: tuple[bytes, bytes]) -> dict[tuple[bytes, ...], int]:
    """Return the pieces, with their counts, after every occurrence of a pair has become a single token.

    A piece is read from left to right; a token that was merged is not merged again. All other pieces stay as they are.
    """
    # <solution step=2>
    merged = {}
    for piece, count in pieces.items():
        tokens, i = [], 0
        while i < len(piece):
            if piece[i : i + 2] == pair:
                tokens.append(piece[i] + piece[i + 1])
                i += 2
            else:
                tokens.append(piece[i])
                i += 1
        merged[tuple(tokens)] = count
    return merged
    # </solution>


def train_bpe(
    text: str, vocab_size: int, pattern: str, special_tokens: Sequence[str] = ()
) -> tuple[dict[bytes, int], dict[str, int]]:
    """Learn a vocabulary of `vocab_size` tokens from a text: return ranks, and the ids of the special tokens.

    Ranks begin with the 256 single bytes in order; then comes what each merge of the most frequent pair makes. Of pairs
    that are equally frequent the larger one is merged, as Python compares tuples of bytes. The ids of special tokens
    follow the last rank, in the order given. Where the text holds special tokens (the longest, where two begin alike)
    it is cut and they are taken out; pieces are looked for in each part by itself. When no pair is left, training
    ends early.

    Raises ValueError, with both numbers, if `vocab_size` is less than 256 and the number of special tokens.
    """
    # <solution step=3>
    smallest = 256 + len(special_tokens)
    if vocab_size < smallest:
        raise ValueError(f"vocab_size is {vocab_size}, and bytes and special tokens alone are {smallest}")
    borders = "|".join(map(regex.escape, sorted(special_tokens, key=len, reverse=True)))
    words: Counter[bytes] = Counter()
    for part in regex.split(borders, text) if borders else [text]:
        words.update(split_pieces(part, pattern))
    pieces = {tuple(bytes([byte]) for byte in word): count for word, count in words.items()}

    counts = count_pairs(pieces)
    homes = defaultdict(dict)  # the pieces in which a pair stands, or has stood, in order
    for piece in pieces:
        for pair in pairwise(piece):
            homes[pair][piece] = True
    heap = [(-count, LargerFirst(pair)) for pair, count in counts.items()]  # the most frequent pair on top
    heapq.heapify(heap)
    ranks = {bytes([byte]): byte for byte in range(256)}
    while heap and len(ranks) + len(special_tokens) < vocab_size:
        count, pair = heapq.heappop(heap)
        if counts[pair] < -count:  # rarer than when it was put there: back to its place
            heapq.heappush(heap, (-counts[pair], pair))
            continue
        if counts[pair] == 0:
            break  # no pair is left
        token = pair[0] + pair[1]
        ranks[token] = len(ranks)
        old = {piece: pieces.pop(piece) for piece in homes.pop(pair) if piece in pieces}
        new = merge_pair(old, pair)  # the other pieces do not change, and neither do their counts
        gained = count_pairs(new)
        counts.subtract(count_pairs(old))
        counts.update(gained)
        for piece in new:
            for neighbours in pairwise(piece):
                homes[neighbours][piece] = True
        for neighbours in gained:
            if token in neighbours:
                heapq.heappush(heap, (-counts[neighbours], LargerFirst(neighbours)))
        pieces.update(new)
    return ranks, {special: len(ranks) + i for i, special in enumerate(special_tokens)}
    # </solution>


class SpecialTokenizer:
    """A byte-pair tokenizer with special tokens, for texts of any length."""

    def __init__(self, ranks: dict[bytes, int], pattern: str, special: dict[str, int]):
        """Make a tokenizer of `ranks` and `pattern`, as k01 has them, and of `special`: special tokens with their ids."""
        # <solution step=4>
        self.ranks, self.pattern, self.special = ranks, regex.compile(pattern), special
        self.ordinary = BPETokenizer(ranks, pattern)
        self.bytes_of = {i: token for token, i in ranks.items()}
        self.bytes_of |= {i: token.encode("utf-8") for token, i in special.items()}
        # </solution>

    def encode(self, text: str, allowed_special: Collection[str] = ()) -> list[int]:
        """Return the ids of a text.

        The special tokens in `allowed_special` are an id each where they stand in the text, from left to right, the
        longest where two begin alike; the text is cut there. All others are text like the rest.
        """
        # <solution step=4>
        if not allowed_special:
            return self.ordinary.encode(text)
        borders = "|".join(map(regex.escape, sorted(allowed_special, key=len, reverse=True)))
        ids = []
        for part in regex.split(f"({borders})", text):  # the group keeps the special tokens among the parts
            ids += [self.special[part]] if part in allowed_special else self.ordinary.encode(part)
        return ids
        # </solution>

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`, special tokens spelt out; bytes that are no valid UTF-8 become `\\ufffd`."""
        # <solution step=4>
        return b"".join(self.bytes_of[i] for i in ids).decode("utf-8", errors="replace")
        # </solution>

    def encode_iterable(self, lines: Iterable[str]) -> Iterator[int]:
        """Give the ids that `encode` has for all of `lines` put together, one after the other, wherever they are cut.

        Lines are read only as far as the next id needs, and what is encoded is forgotten. Where a piece ends is certain
        once two more pieces stand behind it: true of GPT-2's pattern and its like.
        """
        # <solution step=4>
        held = ""
        for line in lines:
            held += line
            done = 0
            for match in list(self.pattern.finditer(held))[:-2]:
                yield from bpe_merge(match.group().encode("utf-8"), self.ranks)
                done = match.end()
            held = held[done:]
        yield from self.encode(held)
        # </solution>
