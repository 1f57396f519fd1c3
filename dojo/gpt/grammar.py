"""A probabilistic context-free grammar whose entropy is known exactly, because its texts can be read back.

A text is a run of speeches, drawn independently of each other. Let H(S) be the expected entropy of the choices
made in one speech, and L(S) its expected length in characters. The choices fix the text; where the text fixes
the choices as well, a text is exactly as surprising as its choices, and in the long run no predictor can do
better than H(S) / L(S) nats per character. Were there a text with two derivations, that ratio would be an upper
bound only. `tests/dojo/gpt/test_grammar.py` proves that data/verona.toml makes no such text.
"""

from __future__ import annotations

import math
import random
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib


def rule_named(symbol: str) -> str | None:
    """The rule that a symbol stands for; None for a literal."""
    return symbol[1:-1] if symbol.startswith("{") else None


@dataclass(frozen=True)
class Rule:
    """One rule: its alternatives, each a sequence of symbols, and their probabilities, which sum to 1.

    A symbol is a literal text, or the name of another rule in braces, as in "{speaker}".
    """

    alternatives: tuple[tuple[str, ...], ...]
    probabilities: tuple[Fraction, ...]

    @cached_property
    def thresholds(self) -> list[float]:
        """Where each alternative ends in [0, 1]: exact sums, rounded once, so the same on every platform."""
        return [float(total) for total in accumulate(self.probabilities)]


@dataclass(frozen=True)
class Grammar:
    """Rules of which none reaches itself. A text is a run of whole speeches, each made by the start rule."""

    start: str
    rules: dict[str, Rule]

    def generate(self, seed: int, characters: int) -> str:
        """Whole speeches, as many as it takes to reach `characters` characters.

        The same seed gives the same text on every platform and Python version: all that is drawn is
        `random.random()`, whose sequence for a given seed Python promises to keep.
        """
        if not isinstance(seed, int):
            raise TypeError(f"a seed is an int, so that the text can be made again; got {seed!r}")
        draw = random.Random(seed).random
        speeches, length = [], 0
        while length < characters:
            speeches.append(self._speech(draw))
            length += len(speeches[-1])
        return "".join(speeches)

    def entropy_per_character(self) -> float:
        """The floor of every predictor's mean loss: H(S) / L(S), in nats per character.

        An upper bound of it where some text has two derivations. That none has is proved in the tests.
        """
        entropy, characters = self._expected(self.start, {})
        return entropy / float(characters)

    def _expected(self, name: str, known: dict[str, tuple[float, Fraction]]) -> tuple[float, Fraction]:
        """Entropy in nats, and characters, of what a rule makes; `known` holds those of rules met before."""
        if name not in known:
            entropy, characters = 0.0, Fraction(0)
            for p, alternative in zip(self.rules[name].probabilities, self.rules[name].alternatives, strict=True):
                rules = [self._expected(used, known) for used in map(rule_named, alternative) if used]
                literals = sum(len(symbol) for symbol in alternative if not rule_named(symbol))
                entropy += float(p) * (math.fsum(nats for nats, _ in rules) - math.log(p))
                characters += p * (sum(length for _, length in rules) + literals)
            known[name] = entropy, characters
        return known[name]

    def _speech(self, draw: Callable[[], float]) -> str:
        literals, pending = [], ["{" + self.start + "}"]
        while pending:
            symbol = pending.pop()
            if name := rule_named(symbol):
                rule = self.rules[name]
                pending.extend(reversed(rule.alternatives[bisect_right(rule.thresholds, draw())]))
            else:
                literals.append(symbol)
        return "".join(literals)


def load(path: Path) -> Grammar:
    """Read a grammar from a TOML file: `start`, and a table a rule, weights to lists of alternatives. Raises OSError.

    That data/verona.toml is of this form is proved in the tests, where `checked` says in plain words what is not.
    """
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    start = tables.pop("start")
    return Grammar(start, {name: _rule(table) for name, table in tables.items()})


def _rule(table: dict[str, list[str]]) -> Rule:
    """A rule from its table: keys are weights, values lists of alternatives, each cut at its references."""
    weights = [Fraction(key) for key, texts in table.items() for _ in texts]
    alternatives = tuple(_symbols(text) for texts in table.values() for text in texts)
    return Rule(alternatives, tuple(weight / sum(weights) for weight in weights))


def _symbols(text: str) -> tuple[str, ...]:
    """An alternative, cut at its references: "{speaker}:" into "{speaker}" and ":"."""
    return tuple(symbol for symbol in re.split(r"(\{\w+\})", text) if symbol)
