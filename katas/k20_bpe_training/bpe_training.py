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
    # Step 1: about 2 lines.
    raise NotImplementedError("step 1")


def count_pairs(pieces: Mapping[tuple[bytes, ...], int]) -> Counter[tuple[bytes, bytes]]:
    """Return how often each pair of neighbouring tokens occurs.

    `pieces` holds pieces as tuples of tokens, each with how often it occurs. What counts is how often a pair can be
    merged, from left to right: in a a a the pair (a, a) occurs once, in a a a a twice.

    Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", section 3.2.
    """
    # Step 2: about 10 lines.
    raise NotImplementedError("step 2")


def merge_pair(pieces: Mapping[tuple[bytes, ...], int], pair: tuple[bytes, bytes]) -> dict[tuple[bytes, ...], int]:
    """Return the pieces, with their counts, after every occurrence of a pair has become a single token.

    A piece is read from left to right; a token that was merged is not merged again. All other pieces stay as they are.
    """
    # Step 2: about 12 lines.
    raise NotImplementedError("step 2")


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
    # Step 3: about 38 lines.
    raise NotImplementedError("step 3")


class SpecialTokenizer:
    """A byte-pair tokenizer with special tokens, for texts of any length."""

    def __init__(self, ranks: dict[bytes, int], pattern: str, special: dict[str, int]):
        """Make a tokenizer of `ranks` and `pattern`, as k01 has them, and of `special`: special tokens with their ids."""
        # Step 4: about 4 lines.
        raise NotImplementedError("step 4")

    def encode(self, text: str, allowed_special: Collection[str] = ()) -> list[int]:
        """Return the ids of a text.

        The special tokens in `allowed_special` are an id each where they stand in the text, from left to right, the
        longest where two begin alike; the text is cut there. All others are text like the rest.
        """
        # Step 4: about 7 lines.
        raise NotImplementedError("step 4")

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`, special tokens spelt out; bytes that are no valid UTF-8 become `\\ufffd`."""
        # Step 4: about 1 line.
        raise NotImplementedError("step 4")

    def encode_iterable(self, lines: Iterable[str]) -> Iterator[int]:
        """Give the ids that `encode` has for all of `lines` put together, one after the other, wherever they are cut.

        Lines are read only as far as the next id needs, and what is encoded is forgotten. Where a piece ends is certain
        once two more pieces stand behind it: true of GPT-2's pattern and its like.
        """
        # Step 4: about 9 lines.
        raise NotImplementedError("step 4")


# Stub 83e45258. `make reset` brings it back; you may delete this line.
