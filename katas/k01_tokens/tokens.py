"""Tokens: text becomes a list of integers, and the integers become the same text again."""

import math
from itertools import pairwise

import regex


class CharTokenizer:
    """A tokenizer in which every character is a token."""

    def __init__(self, text: str):
        """Make the vocabulary of `text`: each of its characters once, in sorted order, with ids from 0 on.

        Sets `stoi` (character to id), `itos` (id to character) and `vocab_size`.
        """
        # Step 1: about 4 lines.
        raise NotImplementedError("step 1")

    def encode(self, text: str) -> list[int]:
        """Return the ids of the characters of `text`.

        Raises ValueError for the first character outside the vocabulary, with the character and its place from 0.
        """
        # Step 2: about 4 lines.
        raise NotImplementedError("step 2")

    def decode(self, ids: list[int]) -> str:
        """Return the text that `encode` turned into `ids`."""
        # Step 2: about 1 line.
        raise NotImplementedError("step 2")


def bpe_merge(piece: bytes, ranks: dict[bytes, int]) -> list[int]:
    """Return the ids of one piece of text under byte-pair encoding.

    `ranks` holds every token with its id, all 256 single bytes among them. The id is also the rank: of two
    neighbours that make a token together, those that make the token of lowest rank merge first, and of equal
    ones the leftmost.

    Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", section 3.2.
    """
    # Step 3: about 9 lines.
    raise NotImplementedError("step 3")


class BPETokenizer:
    """A byte-pair tokenizer for any text, as GPT-2 has one.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2.
    """

    def __init__(self, ranks: dict[bytes, int], pattern: str):
        """Make a tokenizer of `ranks`, each token with its id, and of `pattern`, which matches one piece of text.

        The pattern is written for the package `regex`; no token crosses the border of a piece.
        """
        # Step 4: about 3 lines.
        raise NotImplementedError("step 4")

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, piece after piece."""
        # Step 4: about 4 lines.
        raise NotImplementedError("step 4")

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`; bytes that are no valid UTF-8 become the replacement character `\\ufffd`."""
        # Step 4: about 2 lines.
        raise NotImplementedError("step 4")


# Stub 76e18cd7. `make reset` brings it back; you may delete this line.
