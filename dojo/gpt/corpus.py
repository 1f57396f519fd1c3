"""Texts to learn from.

The embedded corpus is always there. Shakespeare's text is there once `make data` has fetched it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..system import data_files
from ..system.data_files import DATA, DOWNLOADS
from . import grammar


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
