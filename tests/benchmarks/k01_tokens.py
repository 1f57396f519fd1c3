"""Races of k01: byte-pair encoding, written plainly, with a memory for pieces, and by tiktoken."""

import contextlib
import functools
import random

import regex

from dojo.bench.timing import Race, Racer
from dojo.bench.workloads import agrees
from dojo.gpt.corpus import verona
from dojo.spec.byte_pairs import GPT2_PATTERN, DataError, encoding, gpt2_ranks, small_ranks

CHARACTERS = 5_000
LETTERS = (200, 800)  # of one piece


def races(kata, reference):
    """A play with every table of ranks at hand; then single pieces, one four times as long as the other."""
    play = verona(CHARACTERS).text
    for name, ranks in _tables().items():
        yield _race(f"a play, {name}", ranks, play, kata, reference)
    for letters in LETTERS:
        piece = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=letters))
        yield _race(f"one piece of {letters} letters, small ranks", small_ranks(), piece, kata, reference)


def _tables():
    tables = {"small ranks": small_ranks()}
    with contextlib.suppress(DataError):  # not fetched: make data
        tables["GPT-2's ranks"] = gpt2_ranks()
    return tables


def _race(title, ranks, text, kata, reference):
    ways = {
        "reference": reference.BPETokenizer(ranks, GPT2_PATTERN).encode,
        "each piece once": _with_memory(ranks, reference),
        "tiktoken": encoding(ranks).encode_ordinary,
    }
    if kata is not None:
        ways["yours"] = kata.BPETokenizer(ranks, GPT2_PATTERN).encode
    want = ways["reference"](text)
    return Race(title, [_racer(name, encode, text, want) for name, encode in ways.items()], len(text), "characters")


def _racer(name, encode, text, want):
    return Racer(name, lambda: encode(text), prove=lambda: agrees(lambda: encode(text), want, "the list of ids"))


def _with_memory(ranks, reference):
    """An `encode` that merges a piece only where it comes for the first time; each call begins with no memory."""
    merge = functools.cache(lambda piece: reference.bpe_merge(piece.encode(), ranks))
    pattern = regex.compile(GPT2_PATTERN)

    def encode(text):
        merge.cache_clear()
        return [i for piece in pattern.findall(text) for i in merge(piece)]

    return encode
