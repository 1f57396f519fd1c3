"""What client, server and child say to each other: a JSON object a line, turned into types and back here alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from .verdict import Verdict

EventKind = Literal["steps", "claim", "undiagnosed", "verdict", "trouble"]


@dataclass(frozen=True)
class Request:
    """A question to the server: what is the verdict on this kata?"""

    root: str
    slug: str
    solved: list[str]  # slugs of the katas whose file this one may build on
    path: str | None = None  # of the file, where it is not the kata's own
    diagnose: bool = True  # whether to look for the mistake behind what is wrong


@dataclass(frozen=True)
class Event:
    """What a child lets its watcher know while it judges.

    steps: the verdict so far, with all steps as they stand; claim: `text` is the name of the claim that is checked now;
    undiagnosed: the verdict before the mistake is looked for; verdict: the whole of it; trouble: `text` says why there
    is none.
    """

    kind: EventKind
    text: str = ""
    verdict: Verdict | None = None


def line_of(message: Request | Event | Verdict) -> str:
    """A message as a line of JSON."""
    return json.dumps(message, default=vars) + "\n"


def request_of(line: str | bytes) -> Request:
    """The request in a line."""
    return Request(**json.loads(line))


def verdict_of(line: str) -> Verdict:
    """The verdict in a line."""
    return Verdict.from_dict(json.loads(line))


def event_of(line: bytes) -> Event:
    """The event in a line. Raises ValueError for a line that a child did not write."""
    try:
        data = json.loads(line)
        return Event(data["kind"], data["text"], data["verdict"] and Verdict.from_dict(data["verdict"]))
    except (KeyError, TypeError):
        raise ValueError(f"not an event: {line!r}") from None
