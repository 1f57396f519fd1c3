"""What a leader sees of a room: who is stuck, how many are through, and what to talk about. No torch here."""

from __future__ import annotations

import time
from collections import Counter
from typing import TypedDict

from ..curriculum.catalog import Catalog
from .people import People, Person

STUCK_SECONDS = 600  # at the same claim; whoever has been there so long counts as stuck
STUCK_TRIES = 5  # and so does whoever has made so many
MOST_MISTAKES = 5


class Row(TypedDict):
    """Somebody, as the page shows them."""

    number: int
    name: str
    kata: str
    step: int
    verdict: str
    sentence: str
    seconds: int  # at this claim
    tries: int
    hints: int
    mistakes: list[str]
    stuck: float  # 1 and more: they are
    here: bool
    left: bool
    shown: bool  # whether they show their file


class KataCount(TypedDict):
    """How many are through a kata, and how many are at it."""

    code: str
    title: str
    through: int
    at: int


class Talk(TypedDict):
    """The claim at which most are stuck, and what to say of it."""

    kata: str
    title: str
    step: int
    sentence: str
    people: int
    mistakes: list[tuple[str, int]]  # with how many made each
    hints: list[tuple[str, str]]


class View(TypedDict):
    """All that the page shows."""

    rows: list[Row]
    people: int  # who have not left
    katas: list[KataCount]
    talk: Talk | None
    trouble: str
    guesses: int  # wrong codes


def view(people: People, catalog: Catalog, trouble: str = "", guesses: int = 0) -> View:
    """What there is to see now."""
    everyone = list(people.everyone.values())
    rows = sorted(map(_row, everyone), key=lambda row: (not row["here"], row["left"], -row["stuck"], row["name"]))
    present = [person for person in everyone if not person.left]
    return View(
        rows=rows,
        people=len(present),
        katas=_katas(present, catalog),
        talk=_talk(people, [person for person in everyone if person.here], catalog),
        trouble=trouble,
        guesses=guesses,
    )


def _row(person: Person) -> Row:
    standing, seconds = person.standing, max(0, int(time.time() - person.since))
    return Row(
        number=person.number,
        name=person.name,
        kata=standing.kata,
        step=standing.step,
        verdict=standing.verdict,
        sentence=standing.sentence,
        seconds=seconds,
        tries=standing.tries,
        hints=standing.hints,
        mistakes=list(standing.mistakes),
        stuck=round(_stuck(person), 2),
        here=person.here,
        left=person.left,
        shown=bool(standing.code),
    )


def _stuck(person: Person) -> float:
    """How stuck somebody is: from 1 on they need help."""
    if person.standing.verdict in ("", "passed"):
        return 0.0
    return max((time.time() - person.since) / STUCK_SECONDS, person.standing.tries / STUCK_TRIES)


def _katas(present: list[Person], catalog: Catalog) -> list[KataCount]:
    """The katas that count, and the optional ones at which somebody is or was."""
    through = Counter(code for person in present for code in set(person.standing.solved))
    at = Counter(person.standing.kata for person in present if person.standing.verdict != "passed")
    return [
        KataCount(code=kata.code, title=kata.title, through=through[kata.code], at=at[kata.code])
        for kata in catalog.katas
        if not kata.optional or through[kata.code] or at[kata.code]
    ]


def _talk(people: People, here: list[Person], catalog: Catalog) -> Talk | None:
    """What to talk about: the claim at which most are stuck, else the one at which most are, of two or more."""
    failing = [person for person in here if person.standing.claim and person.standing.verdict != "passed"]
    at = Counter((person.standing.kata, person.standing.claim) for person in failing)
    stuck = Counter((each.standing.kata, each.standing.claim) for each in failing if _stuck(each) >= 1)
    if not failing or (not stuck and max(at.values()) < 2):
        return None
    kata_code, claim = max(at, key=lambda key: (stuck[key], at[key]))
    standing = next(s for s in (each.standing for each in failing) if (s.kata, s.claim) == (kata_code, claim))
    kata = next((kata for kata in catalog.katas if kata.code == kata_code), None)
    named = people.named.get((kata_code, claim), {})
    mistakes = Counter({mistake: len(who) for mistake, who in named.items()})
    return Talk(
        kata=kata_code,
        title=kata.title if kata else "",
        step=standing.step,
        sentence=standing.sentence,
        people=at[kata_code, claim],
        mistakes=mistakes.most_common(MOST_MISTAKES),
        hints=kata.hints(standing.step, kata.topic(standing.step, claim)) if kata else [],
    )
