"""From a text back to its derivation: a parser that counts, and a proof that no text has two derivations.

Probabilities play no part here. A grammar is a start rule and, for each rule, its alternatives: sequences of
symbols, each a literal text or the name of a rule in braces, as in "{speaker}". No rule may reach itself. A text
is a run of whole speeches; a speech is what the start rule makes.
"""

from collections.abc import Iterator

Alternatives = dict[str, tuple[tuple[str, ...], ...]]
Choice = tuple[str, int]  # the name of a rule, and the number of the alternative taken
Rest = tuple  # what is still to be read of a speech, as linked pairs (symbol, rest); () when it is over
Opening = tuple[str, Rest, tuple[Choice, ...]]  # the next literal, what follows it, the choices that led to it
Move = tuple[Rest, tuple[Choice, ...]]  # what is left after a character, and the choices that it gave away


class GrammarError(ValueError):
    """A grammar that cannot be used, or a text that is not of its language."""


def rule_named(symbol: str) -> str | None:
    """The rule that a symbol stands for; None for a literal."""
    return symbol[1:-1] if symbol.startswith("{") else None


class Reader:
    """Reads texts of one grammar, a character at a time, following all derivations side by side."""

    def __init__(self, start: str, alternatives: Alternatives):
        self._alternatives = alternatives
        self._speech: Rest = ("{" + start + "}", ())
        self._known_moves: dict[Rest, dict[str, list[Move]]] = {}

    def parse(self, text: str) -> list[Choice]:
        """The one derivation of `text`: the choices made, from left to right.

        Raises:
            GrammarError: the text is not a run of whole speeches, or has more than one derivation.
        """
        readings: dict[Rest, tuple[int, tuple]] = {(): (1, ())}  # how many lead here, and the choices of one
        for position, character in enumerate(text):
            following: dict[Rest, tuple[int, tuple]] = {}
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
        first = frozenset([()])
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


def _unwound(trail: tuple) -> list[Choice]:
    """The choices of a trail of linked pairs (earlier trail, choices), earliest first."""
    steps = []
    while trail:
        trail, choices = trail
        steps.append(choices)
    return [choice for choices in reversed(steps) for choice in choices]


def _shown(text: str, characters: int = 60) -> str:
    """A text for a message: its end only, where it is long."""
    return repr(text) if len(text) <= characters else "…" + repr(text[-characters:])
