"""Races of k20: learn byte pairs, with all pairs counted anew after each merge, or only what a merge changes."""

from collections import Counter

from dojo.bench.timing import Race, Racer
from dojo.bench.workloads import agrees
from dojo.gpt.corpus import verona
from dojo.spec.byte_pairs import GPT2_PATTERN

CHARACTERS = (5_000, 50_000)
MERGES = 150


def races(kata, reference):
    """A play, and one ten times as long: the same merges by each way of counting."""
    for characters in CHARACTERS:
        text = verona(characters).text
        ways = {"reference": reference, "yours": kata} if kata is not None else {"reference": reference}
        trainers = {name: module.train_bpe for name, module in ways.items()}
        trainers["all counted anew"] = _anew(reference)
        trainers["every piece by itself"] = _without_counts(reference)
        want = list(reference.train_bpe(text, 256 + MERGES, GPT2_PATTERN)[0])
        racers = [_racer(name, train, text, want) for name, train in trainers.items()]
        yield Race(f"{MERGES} merges of a play of {characters:,} characters", racers, MERGES, "merges")


def _racer(name, train, text, want):
    def learned():
        return list(train(text, 256 + MERGES, GPT2_PATTERN)[0])

    return Racer(name, learned, prove=lambda: agrees(learned, want, "the list of tokens"))


def _anew(reference):
    """A `train_bpe` that counts all pairs of all pieces after each merge."""

    def train(text, vocab_size, pattern):
        words = reference.split_pieces(text, pattern)
        return _merge_on({tuple(bytes([byte]) for byte in word): n for word, n in words.items()}, vocab_size, reference)

    return train


def _without_counts(reference):
    """The same, over every piece as often as it stands in the text."""

    def train(text, vocab_size, pattern):
        words = reference.split_pieces(text, pattern).elements()
        pieces = [tuple(bytes([byte]) for byte in word) for word in words]
        ranks = {bytes([byte]): byte for byte in range(256)}
        while len(ranks) < vocab_size:
            counts = Counter()
            for piece in pieces:
                counts.update(reference.count_pairs({piece: 1}))
            pair = max(counts, key=lambda pair: (counts[pair], pair))
            ranks[pair[0] + pair[1]] = len(ranks)
            pieces = [next(iter(reference.merge_pair({piece: 1}, pair))) for piece in pieces]
        return ranks, {}

    return train


def _merge_on(pieces, vocab_size, reference):
    ranks = {bytes([byte]): byte for byte in range(256)}
    while len(ranks) < vocab_size and (counts := reference.count_pairs(pieces)):
        pair = max(counts, key=lambda pair: (counts[pair], pair))
        ranks[pair[0] + pair[1]] = len(ranks)
        pieces = reference.merge_pair(pieces, pair)
    return ranks, {}
