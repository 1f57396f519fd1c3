"""What makes a file a grammar: a table a rule, of weights and texts, no rule missing, unused, or reaching itself.

`dojo.gpt.grammar.load` takes that for granted. Here it is looked at, and said in plain words where it is not so.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from dojo.gpt.grammar import Grammar, Rule, load, rule_named, tomllib


class GrammarError(ValueError):
    """A grammar that cannot be used, or a text that is not of its language."""


def checked(path: Path) -> Grammar:
    """The grammar in a TOML file.

    Raises:
        GrammarError: the file is not of that form, or its rules do not make a language.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        tables.pop("start")
        for name, table in tables.items():
            _check_rule(name, table)
    except KeyError:
        raise GrammarError(f'{path.name}: no start rule; write start = "…" above the first rule') from None
    except (GrammarError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GrammarError(f"{path.name}: {error}") from None
    grammar = load(path)
    reached = _users_first(grammar.start, grammar.rules)
    if unused := [name for name in grammar.rules if name not in reached]:
        raise GrammarError(f"no text uses the rules {', '.join(unused)}: use them or delete them")
    if _can_be_empty(grammar.start, grammar.rules):
        raise GrammarError(f"the rule {grammar.start} can make an empty text: give every speech a character")
    return grammar


def _check_rule(name: str, table: object) -> None:
    if not isinstance(table, dict) or not all(isinstance(texts, list) and texts for texts in table.values()):
        raise GrammarError(f'the rule {name} is not a table of lines such as 2 = ["one way", "another"]')
    try:
        weights = [Fraction(key) for key in table]
    except (ValueError, ZeroDivisionError):
        raise GrammarError(f"the rule {name} has a weight that is no number: {', '.join(table)}") from None
    if not weights or min(weights) <= 0:
        raise GrammarError(f"the rule {name} needs at least one alternative, and weights above 0")
    for text in (text for texts in table.values() for text in texts):
        if not isinstance(text, str):
            raise GrammarError(f"the rule {name} has an alternative that is no text: {text!r}")
        if re.search("[{}]", re.sub(r"\{\w+\}", "", text)):
            raise GrammarError(f"the rule {name} has a brace without its partner: {text!r}")


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
