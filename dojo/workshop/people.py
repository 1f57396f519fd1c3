"""Who is in a room and what each is at: the room itself, without a network and without a disk. No torch here.

Times are the server's. What learners send is bounded here, whatever they send.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from ..learner.room import CODE_LENGTH, LETTERS, Standing

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which look like digits
NAME_LENGTH = 40  # characters
MOST = 500  # people in a room
AWAY = 10.0  # seconds without a sign, after which somebody counts as away
NO_NAME = "You need a name here: make watch … NAME=Ada"
FULL = f"The room is full: {MOST} people."


class NotLetIn(Exception):
    """Somebody cannot join; the message says why."""


@dataclass
class Person:
    """Somebody in the room."""

    number: int
    name: str
    token: str  # its hash: who reads the room's file cannot come in as somebody else
    standing: Standing = field(default_factory=Standing)
    since: float = 0.0  # when they came to the claim at which they are
    left: bool = False
    seen: float = 0.0  # when there was a sign of them last, by the monotonic clock; 0: not since the room was opened

    @property
    def here(self) -> bool:
        """Whether they are connected."""
        return not self.left and self.seen > 0 and time.monotonic() - self.seen < AWAY


class People:
    """All who ever were in the room, and which mistakes were named at which claim."""

    def __init__(self, room: str = "", code: str = "", leader: str = ""):
        self.room = room or secrets.token_hex(4)  # tells rooms apart
        self.code = code or "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))
        self.leader = leader or secrets.token_urlsafe(16)  # opens the leader's page
        self.everyone: dict[str, Person] = {}  # by the hash of their token
        self.named: dict[tuple[str, str], dict[str, set[int]]] = defaultdict(dict)  # (kata, claim): mistake: who
        self.version = 0  # another one, whenever something changed

    def join(self, name: str, token: str) -> tuple[Person, str]:
        """Somebody, and their token: whoever had it before, else somebody new. Raises NotLetIn."""
        name = clean(name)
        person = self.everyone.get(hashed(token))
        if person is None:
            if not name:
                raise NotLetIn(NO_NAME)
            if len(self.everyone) >= MOST:
                raise NotLetIn(FULL)
            token = secrets.token_urlsafe(16)
            person = Person(len(self.everyone) + 1, self._free(name), hashed(token), since=time.time())
            self.everyone[person.token] = person
        elif name and name != person.name:
            person.name = self._free(name, person)
        person.left = False
        self.sign(person)
        self.version += 1
        return person, token

    def find(self, token: str) -> Person | None:
        """Whose token this is."""
        return self.everyone.get(hashed(token))

    def sign(self, person: Person) -> None:
        """They are there."""
        if not person.here:
            self.version += 1
        person.left, person.seen = False, time.monotonic()

    def put(self, person: Person, standing: Standing) -> None:
        """They are at this now; the clock of a claim goes on as long as it is the same."""
        before = person.standing
        self.sign(person)
        if (before.kata, before.step, before.claim) != (standing.kata, standing.step, standing.claim):
            person.since = time.time()
        person.standing = standing
        for name in standing.mistakes if standing.claim else ():
            self.note(standing.kata, standing.claim, name, person.number)
        self.version += 1

    def note(self, kata: str, claim: str, mistake: str, person: int) -> None:
        """A mistake was named at a claim."""
        self.named[kata, claim].setdefault(mistake, set()).add(person)

    def leave(self, person: Person) -> None:
        """They left; a file that they showed is gone with them."""
        person.left, person.seen = True, 0.0
        person.standing = without_code(person.standing)
        self.version += 1

    def _free(self, name: str, own: Person | None = None) -> str:
        """The name, or where somebody else has it, the name with the next free number."""
        taken = {person.name.casefold() for person in self.everyone.values() if person is not own}
        number, free = 1, name
        while free.casefold() in taken:
            number += 1
            free = f"{name[: NAME_LENGTH - 4]} {number}"
        return free


def clean(name: str) -> str:
    """A name as it can be shown: a line of at most 40 characters that can be printed."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name[: 50 * NAME_LENGTH])
    return " ".join(printable.split())[:NAME_LENGTH].strip()


def hashed(token: str) -> str:
    """What a token is known by."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def without_code(standing: Standing) -> Standing:
    """A standing in which no file is shown."""
    return Standing(**standing.__dict__ | {"code": ""})


def read_standing(data: Any) -> Standing:
    """What somebody sent, each part bounded. Raises ValueError where it is not of the form of Standing."""
    if not isinstance(data, dict):
        raise ValueError("a standing is an object")
    return Standing(
        kata=_text(data, "kata", 8),
        step=_count(data, "step"),
        verdict=_text(data, "verdict", 16),
        claim=_text(data, "claim", 200),
        sentence=_text(data, "sentence", 600),
        tries=_count(data, "tries"),
        hints=_count(data, "hints"),
        mistakes=_texts(data, "mistakes", 6, 200),
        solved=_texts(data, "solved", 100, 8),
        code=_text(data, "code", CODE_LENGTH),
    )


def _text(data: dict[str, Any], name: str, most: int) -> str:
    text = data.get(name, "")
    if not isinstance(text, str):
        raise ValueError(f"{name} is no text")
    return text[:most].encode("utf-8", "replace").decode()  # lone surrogates cannot be kept


def _texts(data: dict[str, Any], name: str, most: int, length: int) -> tuple[str, ...]:
    texts = data.get(name, [])
    if not isinstance(texts, list):
        raise ValueError(f"{name} is no list")
    return tuple(_text({name: text}, name, length) for text in texts[:most])


def _count(data: dict[str, Any], name: str) -> int:
    number = data.get(name, 0)
    if type(number) is not int:
        raise ValueError(f"{name} is no whole number")
    return max(0, min(number, 9999))
