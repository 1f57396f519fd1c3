"""Texts to learn from, and byte-pair ranks to cut them with.

The embedded corpus and the small ranks are always there. Shakespeare's text and GPT-2's ranks are there once
`make data` has fetched them. tiktoken is imported only where an encoding is asked for.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..system import download
from ..system.download import DATA, DOWNLOADS
from . import grammar

if TYPE_CHECKING:
    import tiktoken

# How GPT-2 cuts a text into pieces before it merges bytes. Source: Radford et al. 2019, encoder.py of their code.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SMALL_RANKS = DATA / "small_ranks.tiktoken"
SMALL_MERGES = 256


@dataclass(frozen=True)
class Corpus:
    """A text, and the lowest mean loss that any model can reach on it."""

    name: str
    text: str
    floor: float | None  # nats per character; None where nobody knows it


def verona(characters: int = 500_000, seed: int = 1) -> Corpus:
    """The embedded corpus: whole speeches of an endless play, at least `characters` characters, and its floor.

    The floor is that of a reader who has seen all that went before. In windows of T tokens each window starts
    blind, which costs even a perfect reader about 3.5 / T nats a character more.
    """
    play = grammar.load(DATA / "verona.toml")
    return Corpus("verona", play.generate(seed, characters), play.entropy_per_character())


def tinyshakespeare(root: Path = DOWNLOADS) -> Corpus:
    """About a million characters of Shakespeare; its floor is unknown.

    Raises:
        DataError: the file has not been fetched into `root`, or is damaged.
    """
    content = download.read(download.sources()["tinyshakespeare.txt"], root)
    return Corpus("tinyshakespeare", content.decode("utf-8"), None)


def small_ranks() -> dict[bytes, int]:
    """The 256 bytes and 256 merges, trained on `verona` by `train_ranks` and kept in a file."""
    return ranks_from_text(SMALL_RANKS.read_text(encoding="ascii"))


def gpt2_ranks(root: Path = DOWNLOADS) -> dict[bytes, int]:
    """GPT-2's 50,256 tokens and their ranks, without its one special token.

    Read here rather than by tiktoken, whose reader keeps copies in a cache of its own and, where a copy does not
    match, goes to the network.

    Raises:
        DataError: the file has not been fetched into `root`, or is damaged.
    """
    ids = json.loads(download.read(download.sources()["encoder.json"], root))
    del ids["<|endoftext|>"]
    # The file spells bytes as characters. A byte that is a visible character of Latin-1 is spelt as that; the
    # n-th of the others as character 256 + n.
    visible = [byte for byte in range(256) if chr(byte).isprintable() and not chr(byte).isspace()]
    hidden = [byte for byte in range(256) if byte not in visible]
    byte_of = {chr(byte): byte for byte in visible} | {chr(256 + n): byte for n, byte in enumerate(hidden)}
    return {bytes(byte_of[character] for character in spelt): rank for spelt, rank in ids.items()}


def encoding(ranks: dict[bytes, int], pattern: str = GPT2_PATTERN, name: str = "kata") -> tiktoken.Encoding:
    """A tiktoken encoding of these ranks, without special tokens: the oracle for a learner's tokenizer."""
    import tiktoken

    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def train_ranks(text: str, merges: int, pattern: str = GPT2_PATTERN) -> dict[bytes, int]:
    """Byte-pair ranks: the 256 bytes, then `merges` times the commonest pair of neighbours, joined.

    Of equally common pairs the one that comes first in byte order is taken, so that the same text gives the same
    ranks everywhere. Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units",
    section 3.2, on bytes.

    Raises:
        ValueError: the text has too few different pairs.
    """
    import regex  # tiktoken's own engine for patterns comes with it

    pieces = Counter(regex.findall(pattern, text))
    ranks = {bytes([byte]): byte for byte in range(256)}
    for rank in range(256, 256 + merges):
        # Cutting every piece anew by the ranks so far keeps to what tiktoken will do with them.
        cut = encoding(ranks, pattern)
        pairs: Counter[bytes] = Counter()
        for piece, count in pieces.items():
            tokens = cut.decode_tokens_bytes(cut.encode_ordinary(piece))
            for left, right in pairwise(tokens):
                pairs[left + right] += count
        if not pairs:
            raise ValueError(f"the text gives only {rank - 256} merges, not {merges}: take fewer, or more text")
        ranks[min(pairs, key=lambda pair: (-pairs[pair], pair))] = rank
    return ranks


def ranks_to_text(ranks: dict[bytes, int]) -> str:
    """Ranks in tiktoken's text format: a line a token, its bytes in base64 and its rank."""
    lowest_first = sorted(ranks.items(), key=lambda item: item[1])
    return "".join(f"{base64.b64encode(token).decode('ascii')} {rank}\n" for token, rank in lowest_first)


def ranks_from_text(text: str) -> dict[bytes, int]:
    """Ranks from tiktoken's text format."""
    return {base64.b64decode(token): int(rank) for token, rank in map(str.split, text.splitlines())}


if __name__ == "__main__":  # python -m dojo.gpt.corpus: train the small ranks anew, after a change of the play
    trained = train_ranks(verona().text, SMALL_MERGES)
    SMALL_RANKS.write_text(ranks_to_text(trained), encoding="ascii", newline="\n")
