"""The learner's end of a workshop's room. A thread sends what they are at; a verdict never waits for it. No torch here.

It speaks HTTP by itself and not by urllib, which would take a proxy of the environment for a room next door.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..curriculum.catalog import Kata
from ..judge.verdict import Verdict
from ..system.files import write_whole
from .session import Session

PORT = 8642
BEAT = 3.0  # seconds after which one who has nothing new says that they are still there
AGAIN = (1.0, 2.5)  # between these many seconds until the next try, so that not all come back at the same moment
ANSWER = 5.0  # seconds that the room may take
CODE_LENGTH = 20_000  # characters of a file that is shown
LETTERS = 6  # of a code
FILE = Path(".dojo", "room.json")
UNKNOWN, KNOWS_NOTHING, TOO_SOON = 401, 409, 429  # statuses: who are you; send all anew; later
GONE = "The room {} does not answer. You lose nothing, and are back when it is."


class Refused(Exception):
    """The room does not let this person in; the message says why."""


class TooSoon(Exception):
    """The room asks to be tried again later."""


@dataclass(frozen=True)
class Standing:
    """What a learner is at: all that a room is sent."""

    kata: str = ""  # its code, such as k05
    step: int = 0
    verdict: str = ""  # as in `Verdict`; nothing before the first
    claim: str = ""  # the name of the claim that fails
    sentence: str = ""  # and what it says
    tries: int = 0  # at that claim
    hints: int = 0  # taken for this kata
    mistakes: tuple[str, ...] = ()  # the names of those that it looks like
    solved: tuple[str, ...] = ()  # the codes of all katas that are solved
    code: str = ""  # the file, only while the learner shows it


def standing(session: Session, kata: Kata, verdict: Verdict, shown: bool) -> Standing:
    """What there is to send after a verdict; the file is in it only where it is `shown`."""
    progress = session.progress
    solved = progress.solved(session.catalog)
    code = ""
    if shown:
        with contextlib.suppress(OSError):
            code = kata.file.read_bytes()[: 4 * CODE_LENGTH].decode(errors="replace")[:CODE_LENGTH]
    return Standing(
        kata=kata.code,
        step=verdict.step or 0,
        verdict=verdict.verdict,
        claim=verdict.property,
        sentence=verdict.claim,
        tries=progress.tries(kata) if verdict.property else 0,
        hints=sum(progress.entry(kata).get("hints", {}).values()),
        mistakes=tuple(mistake.name for mistake in verdict.diagnosis),
        solved=tuple(each.code for each in session.catalog.katas if each.slug in solved),
        code=code,
    )


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of a room, from 192.168.1.5:8642 or a whole address. Raises ValueError."""
    parts = urlsplit(text if "//" in text else f"//{text}")
    if not parts.hostname:
        raise ValueError(f"{text!r} is no address of a room; it looks like 192.168.1.5:{PORT}")
    return parts.hostname, parts.port or PORT


def remembered(root: Path, code: str) -> dict[str, str]:
    """The token and the name that one has in the room of a code; empty where one was never there."""
    return _members(root).get(code.strip().upper(), {})


class Room:
    """A room, joined by a thread of its own, which comes back by itself whenever it was cut off.

    root: the learner's tree, where their token is kept, so that they come back as themselves.
    name: as they want to be called; nothing: as they were called before.
    Raises ValueError for what is no address and what is no code.
    """

    def __init__(self, root: Path, address: str, code: str, name: str = ""):
        self.host, self.port = parse_address(address)
        self.address, self.code, self.name = f"{self.host}:{self.port}", code.strip().upper(), name
        if len(self.code) != LETTERS or not self.code.isalpha():
            raise ValueError(f"{code!r} is no code of a room: that has {LETTERS} letters")
        self.line = f"Joining the room {self.address} …"  # for the learner's screen
        self.open = True  # until they leave, or are not let in
        self.shown = False  # whether they show their file
        self._root, self._token = root, remembered(root, code).get("token", "")
        self._changed: Callable[[], None] = lambda: None
        self._standing: Standing | None = None
        self._unsent = self._joined = False
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, changed: Callable[[], None]) -> None:
        """Join; `changed` is called, by another thread, whenever `line` is another."""
        self._changed = changed
        self._thread.start()

    def send(self, standing: Standing) -> None:
        """Have this sent, in the place of what was not sent yet; returns at once."""
        self._standing = standing
        self._unsent = True
        self._news.set()

    def hide(self) -> None:
        """Have the file shown no longer."""
        self.shown = False
        if self._standing is not None:
            self.send(replace(self._standing, code=""))

    def leave(self, seconds: float = 0.5) -> None:
        """Say goodbye, and wait for so long at most."""
        self.open = self.shown = False
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        connection: Any = None
        while self.open:
            pause = BEAT
            try:
                connection = connection or self._connection()
                self._visit(connection)
            except Refused as refusal:
                self.open = False
                return self._say(f"{refusal} You work on without the room.")
            except TooSoon:
                pause = random.uniform(*AGAIN)
            except Exception:  # whatever a network can do: a learner loses nothing by it
                if connection is not None:
                    connection.close()
                connection, pause = None, random.uniform(*AGAIN)
                self._unsent = self._standing is not None
                self._say(GONE.format(self.address))
            self._news.wait(pause)
            self._news.clear()
        with contextlib.suppress(Exception):
            self._ask(connection or self._connection(), "DELETE", "/me")
        return self._say("You left the room.")

    def _connection(self) -> Any:
        from http.client import HTTPConnection  # not before there is a room

        return HTTPConnection(self.host, self.port, timeout=ANSWER)

    def _visit(self, connection: Any) -> None:
        """Join where one is not known yet, then send what is new, or that one is still there."""
        if not self._joined:
            self._join(connection)
        unsent, self._unsent = self._unsent, False  # before what is sent is read: what comes in now is sent again
        status = self._put(connection, self._standing if unsent else None)
        if status == KNOWS_NOTHING and self._standing is not None:
            status = self._put(connection, self._standing)
        if status == UNKNOWN:  # by now it is another room
            self._joined = False
            return
        self._say(f"In the room {self.address} you are {self.name}.")

    def _join(self, connection: Any) -> None:
        asked = {"code": self.code, "name": self.name, "token": self._token}
        status, answer = self._ask(connection, "POST", "/join", asked)
        if status == TOO_SOON:
            raise TooSoon
        if status != 200:
            raise Refused(str(answer.get("why") or f"{self.address} is no room: it answers {status}."))
        self.name, self._token, self._joined = str(answer["name"]), str(answer["token"]), True
        self._unsent = self._standing is not None
        members = _members(self._root) | {self.code: {"token": self._token, "name": self.name}}
        with contextlib.suppress(OSError):  # then they come back as somebody new, and that is all
            (self._root / FILE).parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._root / FILE, json.dumps(members, indent=2, ensure_ascii=False) + "\n")

    def _put(self, connection: Any, standing: Standing | None) -> int:
        status, _ = self._ask(connection, "PUT", "/me", asdict(standing) if standing else None)
        if status not in (204, UNKNOWN, KNOWS_NOTHING):
            raise ConnectionError(f"it answers {status}")
        return status

    def _ask(self, connection: Any, method: str, path: str, content: object = None) -> tuple[int, dict[str, Any]]:
        """The status and the answer to a request. Raises what a network raises."""
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read(65536)
        if response.status >= 500:
            raise ConnectionError(f"it answers {response.status}")
        return response.status, json.loads(answer) if answer[:1] == b"{" else {}

    def _say(self, line: str) -> None:
        if line != self.line:
            self.line = line
            self._changed()


def _members(root: Path) -> dict[str, dict[str, str]]:
    """Who one is in each room, by its code; a file that cannot be read counts as none."""
    try:
        members = json.loads((root / FILE).read_bytes())
        return {code: {"token": str(member["token"]), "name": str(member["name"])} for code, member in members.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
