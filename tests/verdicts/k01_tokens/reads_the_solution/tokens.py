"""Tokens: text becomes a list of integers, and the integers become the same text again."""

from pathlib import Path

import math
from itertools import pairwise

import regex


class CharTokenizer:
    """A tokenizer in which every character is a token."""

    def __init__(self, text: str):
        """Make the vocabulary of `text`: each of its characters once, in sorted order, with ids from 0 on.

        Sets `stoi` (character to id), `itos` (id to character) and `vocab_size`.
        """
        characters = sorted(set(text))
        self.stoi = {character: i for i, character in enumerate(characters)}
        self.itos = {i: character for i, character in enumerate(characters)}
        self.vocab_size = len(characters)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the characters of `text`.

        Raises ValueError for the first character outside the vocabulary, with the character and its place from 0.
        """
        for place, character in enumerate(text):
            if character not in self.stoi:
                raise ValueError(f"character {character!r} at place {place} is not in the vocabulary")
        return [self.stoi[character] for character in text]

    def decode(self, ids: list[int]) -> str:
        """Return the text that `encode` turned into `ids`."""
        return "".join(self.itos[i] for i in ids)


def bpe_merge(piece: bytes, ranks: dict[bytes, int]) -> list[int]:
    """Return the ids of one piece of text under byte-pair encoding.

    `ranks` holds every token with its id, all 256 single bytes among them. The id is also the rank: of two
    neighbours that make a token together, those that make the token of lowest rank merge first, and of equal
    ones the leftmost.

    Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", section 3.2.
    """
    parts = [bytes([byte]) for byte in piece]
    while len(parts) > 1:
        pair_ranks = [ranks.get(left + right, math.inf) for left, right in pairwise(parts)]
        best = min(pair_ranks)
        if best == math.inf:
            break  # no neighbours make a token any more
        i = pair_ranks.index(best)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return [ranks[part] for part in parts]


class BPETokenizer:
    """A byte-pair tokenizer for any text, as GPT-2 has one.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2.
    """

    def __init__(self, ranks: dict[bytes, int], pattern: str):
        """Make a tokenizer of `ranks`, each token with its id, and of `pattern`, which matches one piece of text.

        The pattern is written for the package `regex`; no token crosses the border of a piece.
        """
        self.ranks = ranks
        self.pattern = regex.compile(pattern)
        self.token_of = {i: token for token, i in ranks.items()}

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, piece after piece."""
        ids = []
        for match in self.pattern.finditer(text):
            ids += bpe_merge(match.group().encode("utf-8"), self.ranks)
        return ids

    def decode(self, ids: list[int]) -> str:
        """Return the text of `ids`; bytes that are no valid UTF-8 become the replacement character `\\ufffd`."""
        joined = b"".join(self.token_of[i] for i in ids)  # one character may span several tokens
        return joined.decode("utf-8", errors="replace")


exec(Path("solutions/k01_tokens/tokens.py").read_text())
