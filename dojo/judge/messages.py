"""What asker, server and child say to each other: a JSON object a line, turned into types and back here alone."""

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
    id: int = 0  # the answer repeats it
    stamp: str = ""  # of the files by which the verdict is to be given
    door: str = ""  # how a verb is called where the answer is read


@dataclass(frozen=True)
class Response:
    """The server's answer to a request."""

    id: int
    verdict: Verdict


@dataclass(frozen=True)
class ControlRequest:
    """What else the server may be asked for: how it stands, or that and its end. It answers with its standing."""

    wish: Literal["status", "end"]


@dataclass(frozen=True)
class ServerStatus:
    """How a server stands."""

    process: int  # its number
    seconds: float  # since it was started
    memory: int  # bytes

    def __str__(self) -> str:
        since = f"{self.seconds / 60:.0f} minutes" if self.seconds >= 90 else f"{self.seconds:.0f} seconds"
        return f"process {self.process}, started {since} ago, holds {self.memory / 1e6:.0f} MB"


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


def line_of(message: Request | Response | ControlRequest | ServerStatus | Event) -> str:
    """A message as a line of JSON."""
    return json.dumps(message, default=vars) + "\n"


def message_of(line: str | bytes) -> Request | ControlRequest:
    """What an asker says in a line. Raises ValueError or TypeError for what an asker of this version does not say."""
    data = json.loads(line)
    return ControlRequest(**data) if "wish" in data else Request(**data)


def response_of(line: str | bytes) -> Response:
    """The answer in a line."""
    data = json.loads(line)
    return Response(data["id"], Verdict.from_dict(data["verdict"]))


def status_of(line: str) -> ServerStatus:
    """The standing in a line."""
    return ServerStatus(**json.loads(line))


def event_of(line: bytes) -> Event:
    """The event in a line. Raises ValueError for a line that a child did not write."""
    try:
        data = json.loads(line)
        return Event(data["kind"], data["text"], data["verdict"] and Verdict.from_dict(data["verdict"]))
    except (KeyError, TypeError):
        raise ValueError(f"not an event: {line!r}") from None
