"""Byte-pair ranks and encodings: what a learner's tokenizer is held against.

The small ranks are always there. GPT-2's are there once `make data` has fetched them. tiktoken is imported only where
an encoding is asked for.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..system import data_files
from ..system.data_files import DATA, DOWNLOADS, DataError

if TYPE_CHECKING:
    import tiktoken

__all__ = ["GPT2_PATTERN", "DataError", "encoding", "gpt2_ranks", "ranks_from_text", "ranks_to_text", "small_ranks"]

# How GPT-2 cuts a text into pieces before it merges bytes. Source: Radford et al. 2019, encoder.py of their code.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SMALL_RANKS = DATA / "small_ranks.tiktoken"


def small_ranks() -> dict[bytes, int]:
    """The 256 bytes and 256 merges that `tests.dojo.gpt.ranks` trained on the embedded corpus, from their file."""
    return ranks_from_text(SMALL_RANKS.read_text(encoding="ascii"))


def gpt2_ranks(root: Path = DOWNLOADS) -> dict[bytes, int]:
    """GPT-2's 50,256 tokens and their ranks, without its one special token.

    Read here rather than by tiktoken, whose reader keeps copies in a cache of its own and, where a copy does not
    match, goes to the network.

    Raises:
        DataError: the file has not been fetched into `root`, or is damaged.
    """
    ids = json.loads(data_files.read(data_files.sources()["encoder.json"], root))
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


def ranks_to_text(ranks: dict[bytes, int]) -> str:
    """Ranks in tiktoken's text format: a line a token, its bytes in base64 and its rank."""
    lowest_first = sorted(ranks.items(), key=lambda item: item[1])
    return "".join(f"{base64.b64encode(token).decode('ascii')} {rank}\n" for token, rank in lowest_first)


def ranks_from_text(text: str) -> dict[bytes, int]:
    """Ranks from tiktoken's text format."""
    return {base64.b64decode(token): int(rank) for token, rank in map(str.split, text.splitlines())}
