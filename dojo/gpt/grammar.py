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


class GrammarError(ValueError):
    """A grammar that cannot be used, or a text that is not of its language."""


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


class Grammar:
    """Rules of which none reaches itself. A text is a run of whole speeches, each made by the start rule."""

    def __init__(self, start: str, rules: dict[str, Rule]):
        """Check that the rules make a language.

        Raises:
            GrammarError: a rule is missing, reaches itself or is never used, or a speech can be empty.
        """
        self.start, self.rules = start, rules
        self._users_first = _users_first(start, rules)
        if unused := [name for name in rules if name not in self._users_first]:
            raise GrammarError(f"no text uses the rules {', '.join(unused)}: use them or delete them")
        if _can_be_empty(start, rules):
            raise GrammarError(f"the rule {start} can make an empty text: give every speech a character")

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
        expected: dict[str, tuple[float, Fraction]] = {}  # entropy in nats, and characters, of what a rule makes
        for name in reversed(self._users_first):
            entropy, characters = 0.0, Fraction(0)
            for p, alternative in zip(self.rules[name].probabilities, self.rules[name].alternatives, strict=True):
                rules = [expected[used] for used in map(rule_named, alternative) if used]
                literals = sum(len(symbol) for symbol in alternative if not rule_named(symbol))
                entropy += float(p) * (math.fsum(nats for nats, _ in rules) - math.log(p))
                characters += p * (sum(length for _, length in rules) + literals)
            expected[name] = entropy, characters
        entropy, characters = expected[self.start]
        return entropy / float(characters)

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
    """Read a grammar from a TOML file: `start`, and a table a rule, weights to lists of alternatives.

    Raises:
        GrammarError: the file is not of that form, or its rules do not make a language.
        OSError: the file cannot be read.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        start = tables.pop("start")
        rules = {name: _rule(name, table) for name, table in tables.items()}
    except KeyError:
        raise GrammarError(f'{path.name}: no start rule; write start = "…" above the first rule') from None
    except (GrammarError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GrammarError(f"{path.name}: {error}") from None
    return Grammar(start, rules)


def _rule(name: str, table: object) -> Rule:
    """A rule from its table: keys are weights, values lists of alternatives."""
    if not isinstance(table, dict) or not all(isinstance(texts, list) and texts for texts in table.values()):
        raise GrammarError(f'the rule {name} is not a table of lines such as 2 = ["one way", "another"]')
    try:
        weights = [Fraction(key) for key, texts in table.items() for _ in texts]
    except (ValueError, ZeroDivisionError):
        raise GrammarError(f"the rule {name} has a weight that is no number: {', '.join(table)}") from None
    if not weights or min(weights) <= 0:
        raise GrammarError(f"the rule {name} needs at least one alternative, and weights above 0")
    alternatives = tuple(_symbols(name, text) for texts in table.values() for text in texts)
    return Rule(alternatives, tuple(weight / sum(weights) for weight in weights))


def _symbols(name: str, text: object) -> tuple[str, ...]:
    """An alternative, cut at its references: "{speaker}:" into "{speaker}" and ":"."""
    if not isinstance(text, str):
        raise GrammarError(f"the rule {name} has an alternative that is no text: {text!r}")
    symbols = tuple(symbol for symbol in re.split(r"(\{\w+\})", text) if symbol)
    if any(not rule_named(symbol) and re.search("[{}]", symbol) for symbol in symbols):
        raise GrammarError(f"the rule {name} has a brace without its partner: {text!r}")
    return symbols


def _users_first(start: str, rules: dict[str, Rule]) -> list[str]:
    """The rules that `start` reaches, each before those that it uses."""
    finished: list[str] = []
    above: list[str] = []  # the chain of users down to the rule in hand

    def visit(name: str) -> None:
        if name not in rules:
            raise GrammarError(f"the rule {name} is missing; used by {above[-1] if above else 'start'}")
        if name in above:
            raise GrammarError(f"the rule {name} reaches itself, by way of {' → '.join([*above, name])}")
        if name not in finished:
            above.append(name)
            for alternative in rules[name].alternatives:
                for used in filter(None, map(rule_named, alternative)):
                    visit(used)
            finished.append(above.pop())

    visit(start)
    return finished[::-1]


def _can_be_empty(name: str, rules: dict[str, Rule]) -> bool:
    """Whether a rule can make the empty text."""
    return any(
        all((used := rule_named(symbol)) and _can_be_empty(used, rules) for symbol in alternative)
        for alternative in rules[name].alternatives
    )
