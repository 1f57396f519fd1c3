"""Texts to learn from, and how the small byte-pair ranks are trained on one.

The embedded corpus is always there. Shakespeare's text is there once `make data` has fetched it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..spec.byte_pairs import GPT2_PATTERN, SMALL_RANKS, encoding, ranks_to_text
from ..system import data_files
from ..system.data_files import DATA, DOWNLOADS
from . import grammar

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
    content = data_files.read(data_files.sources()["tinyshakespeare.txt"], root)
    return Corpus("tinyshakespeare", content.decode("utf-8"), None)


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


if __name__ == "__main__":  # python -m dojo.gpt.corpus: train the small ranks anew, after a change of the play
    trained = train_ranks(verona().text, SMALL_MERGES)
    SMALL_RANKS.write_text(ranks_to_text(trained), encoding="ascii", newline="\n")
