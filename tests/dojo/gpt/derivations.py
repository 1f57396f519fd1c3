"""From a text back to its derivation: a parser that counts, and a proof that no text has two derivations.

Where no text of a grammar has two, its entropy per character is exact and its texts can be read back. Probabilities
play no part in the proof. A text is a run of whole speeches; a speech is what the start rule makes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from dojo.gpt.grammar import Grammar, rule_named

from .well_formed import GrammarError

Choice = tuple[str, int]  # the name of a rule, and the number of the alternative taken
Rest = tuple[Any, ...]  # what is still to be read of a speech, as linked pairs (symbol, rest); () when it is over
Trail = tuple[Any, ...]  # the choices made so far, as linked pairs (earlier trail, choices)
Opening = tuple[str, Rest, tuple[Choice, ...]]  # the next literal, what follows it, the choices that led to it
Move = tuple[Rest, tuple[Choice, ...]]  # what is left after a character, and the choices that it gave away


def parse(grammar: Grammar, text: str) -> list[Choice]:
    """The one derivation of `text`: each rule used and the number of the alternative taken, left to right.

    Raises:
        GrammarError: the text is not a run of whole speeches, or has more than one derivation.
    """
    return Reader(grammar).parse(text)


def spell(grammar: Grammar, choices: list[Choice]) -> str:
    """The text of a derivation: the way back from `parse`."""
    taken = iter(choices)

    def text(symbol: str) -> str:
        if not rule_named(symbol):
            return symbol
        name, number = next(taken)
        return "".join(map(text, grammar.rules[name].alternatives[number]))

    speeches = sum(name == grammar.start for name, _ in choices)
    return "".join(text("{" + grammar.start + "}") for _ in range(speeches))


def log_probability(grammar: Grammar, text: str) -> float:
    """Log-probability of `text` in nats, among all runs of as many speeches. Raises GrammarError, as `parse` does."""
    return math.fsum(math.log(grammar.rules[name].probabilities[number]) for name, number in parse(grammar, text))


def require_unambiguous(grammar: Grammar) -> None:
    """Prove that no text has two derivations. Raises GrammarError where one has."""
    Reader(grammar).require_unambiguous()


class Reader:
    """Reads texts of one grammar, a character at a time, following all derivations side by side."""

    def __init__(self, grammar: Grammar):
        self._alternatives = {name: rule.alternatives for name, rule in grammar.rules.items()}
        self._speech: Rest = ("{" + grammar.start + "}", ())
        self._known_moves: dict[Rest, dict[str, list[Move]]] = {}

    def parse(self, text: str) -> list[Choice]:
        """The one derivation of `text`: the choices made, from left to right.

        Raises:
            GrammarError: the text is not a run of whole speeches, or has more than one derivation.
        """
        readings: dict[Rest, tuple[int, Trail]] = {(): (1, ())}  # how many lead here, and the choices of one
        for position, character in enumerate(text):
            following: dict[Rest, tuple[int, Trail]] = {}
            for rest, (count, trail) in readings.items():
                for left, choices in self._moves(rest).get(character, ()):
                    before = following[left][0] if left in following else 0
                    following[left] = (before + count, (trail, choices) if choices else trail)
            if not following:
                line = text.count("\n", 0, position) + 1
                raise GrammarError(f"not of the language: {character!r} at character {position}, in line {line}")
            readings = following
        endings = [(n, (trail, end)) for rest, (n, trail) in readings.items() for end in self._endings(rest)]
        if not endings:
            raise GrammarError(f"not of the language: it ends within a speech, after {len(text)} characters")
        if (total := sum(count for count, _ in endings)) > 1:
            raise GrammarError(f"ambiguous: {total} derivations of {_shown(text)}")
        return _unwound(endings[0][1])

    def require_unambiguous(self) -> None:
        """Prove that no text has two derivations.

        Visits every set of places in the rules where readers of the same characters can be: few sets, where
        words tell themselves apart. Two derivations of one text would lead two readers to one place, in that
        text or at the first character of the speech after it. And from every place a speech can be brought to
        its end, so wherever two readers meet there is a text with two derivations.

        Raises:
            GrammarError: two readers meet. The message shows the text up to there.
        """
        first: frozenset[Rest] = frozenset([()])
        beginnings, seen = [("", first)], {first}
        for text, places in beginnings:  # grows while it is walked
            following: dict[str, list[Rest]] = {}
            for moves in map(self._moves, places):
                for character, reached in moves.items():
                    following.setdefault(character, []).extend(left for left, _ in reached)
            for character, reached in following.items():
                group = frozenset(reached)
                if len(group) < len(reached):
                    raise GrammarError(f"ambiguous: two derivations both begin with {_shown(text + character)}")
                if group not in seen:
                    seen.add(group)
                    beginnings.append((text + character, group))

    def _moves(self, rest: Rest) -> dict[str, list[Move]]:
        """For each character that can come next: what is left after it, and the choices that it gave away."""
        if rest not in self._known_moves:
            # Where a speech can be over, the next one can begin.
            begun = [
                (literal, after, end + choices)
                for end in self._endings(rest)
                for literal, after, choices in self._openings(self._speech)
            ]
            moves: dict[str, list[Move]] = {}
            for literal, after, choices in [*self._openings(rest), *begun]:
                if literal:
                    left = (literal[1:], after) if len(literal) > 1 else after
                    moves.setdefault(literal[0], []).append((left, choices))
            self._known_moves[rest] = moves
        return self._known_moves[rest]

    def _endings(self, rest: Rest) -> Iterator[tuple[Choice, ...]]:
        """The choices by which a speech can be over here."""
        return (choices for literal, _, choices in self._openings(rest) if not literal)

    def _openings(self, rest: Rest, choices: tuple[Choice, ...] = ()) -> Iterator[Opening]:
        """Every way to go on: to a literal, or to the end of the speech, given as an empty literal."""
        if not rest:
            yield "", (), choices
            return
        symbol, after = rest
        name = rule_named(symbol)
        if name is None:
            yield symbol, after, choices
            return
        for number, alternative in enumerate(self._alternatives[name]):
            opened = after
            for part in reversed(alternative):
                opened = (part, opened)
            yield from self._openings(opened, (*choices, (name, number)))


def _unwound(trail: Trail) -> list[Choice]:
    """The choices of a trail of linked pairs (earlier trail, choices), earliest first."""
    steps = []
    while trail:
        trail, choices = trail
        steps.append(choices)
    return [choice for choices in reversed(steps) for choice in choices]


def _shown(text: str, characters: int = 60) -> str:
    """A text for a message: its end only, where it is long."""
    return repr(text) if len(text) <= characters else "…" + repr(text[-characters:])
