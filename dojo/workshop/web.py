"""The room as a web server: what learners send, and the leader's page. Starlette; nothing here loads torch.

Learners are known by a token, the leader by another: it stands in the address that is printed once, and is put into a
cookie when that is opened, so that a projector does not show it to the room. The page is not bound to 127.0.0.1, since
the machine at the projector may be another one than the leader's.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..curriculum.catalog import Catalog
from ..learner.room import KNOWS_NOTHING, TOO_SOON, UNKNOWN
from .people import NotLetIn, Person, read_standing
from .room_file import RoomFile
from .view import view

TEMPLATES = Path(__file__).with_name("templates")
JOINING, STANDING = 40_000, 160_000  # bytes that a body may have
BODY_SECONDS = 10.0  # within which it has to come
GUESS_SECONDS = 2.0  # after a wrong code, before that address may try again
LOOK, IDLE = 0.25, 2.0  # seconds: between looks for what changed, and after which the page hears from us anyway
VIEWERS = 20  # pages open at a time
HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}
NOT_THE_CODE = "That is not the code of this room."
VISITORS = "This is the room of a workshop. In a terminal, in your folder of katas:\n\n    make watch ROOM={} CODE=…\n"


@dataclass
class Guesses:
    """Who has typed wrong codes: after each one their address waits before it may try again."""

    counts: dict[str, int] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)

    def waits(self, address: str) -> bool:
        """Whether the address has to wait."""
        return time.monotonic() < self.until.get(address, 0.0)

    def wrong(self, address: str) -> None:
        """Log a wrong code, and have the address wait."""
        self.counts[address] = number = self.counts.get(address, 0) + 1
        self.until[address] = time.monotonic() + GUESS_SECONDS
        print(f"{time.strftime('%H:%M:%S')} a wrong code from {address}, its number {number}", file=sys.stderr)


class Web:
    """The routes of a room."""

    def __init__(self, room_file: RoomFile, catalog: Catalog, address: str):
        self.room_file, self.people, self.catalog, self.address = room_file, room_file.people, catalog, address
        self.guesses = Guesses()
        self.heard: set[int] = set()  # whose standing came since the start; that of others is from the file
        self.viewers = 0
        self.over = False  # the server ends: pages are let go
        self._pages = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
        self._made: tuple[object, str] = (None, "")

    @property
    def app(self) -> ASGIApp:
        """What a server runs."""
        routes = [
            Route("/", self.page),
            Route("/lead/{token}", self.lead),
            Route("/room.js", self.asset),
            Route("/room.css", self.asset),
            Route("/events", self.events),
            Route("/code/{number:int}", self.code),
            Route("/join", self.join, methods=["POST"]),
            Route("/me", self.put, methods=["PUT"]),
            Route("/me", self.leave, methods=["DELETE"]),
        ]
        return _with_headers(Starlette(routes=routes))

    async def join(self, request: Request) -> Response:
        """Let somebody in who knows the code."""
        address = request.client.host if request.client else "?"
        if self.guesses.waits(address):
            return JSONResponse({"why": "Wait a moment."}, TOO_SOON)
        asked = _parsed(await _body(request, JOINING))
        code, name, token = (_text(asked, key) for key in ("code", "name", "token"))
        if not _same(code.strip().upper(), self.people.code):
            self.guesses.wrong(address)
            self.people.version += 1
            return JSONResponse({"why": NOT_THE_CODE}, 403)
        try:
            person, token = self.people.join(name, token)
        except NotLetIn as refusal:
            return JSONResponse({"why": str(refusal)}, 400)
        self.room_file.write(person)
        return JSONResponse({"name": person.name, "token": token})

    async def put(self, request: Request) -> Response:
        """Take what somebody is at, or, where nothing is sent, that they are there."""
        person = self._person(request)
        body = await _body(request, STANDING)
        if not body:
            self.people.sign(person)
            return Response(status_code=204 if person.number in self.heard else KNOWS_NOTHING)
        try:
            self.people.put(person, read_standing(_parsed(body)))
        except ValueError as error:
            return JSONResponse({"why": str(error)}, 400)
        self.heard.add(person.number)
        self.room_file.write(person)
        return Response(status_code=204)

    async def leave(self, request: Request) -> Response:
        """Somebody leaves."""
        person = self._person(request)
        self.people.leave(person)
        self.room_file.write(person)
        return Response(status_code=204)

    async def lead(self, request: Request) -> Response:
        """Know the leader from now on, by a cookie."""
        if not _same(request.path_params["token"], self.people.leader):
            raise HTTPException(404)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, self.people.leader, httponly=True, samesite="strict", max_age=7 * 86400)
        return answer

    async def page(self, request: Request) -> Response:
        """The leader's page; for anybody else, how to join."""
        if not self._leads(request):
            return PlainTextResponse(VISITORS.format(request.url.netloc))
        page = self._pages.get_template("room.html").render(address=self.address, code=self.people.code)
        return Response(page, media_type="text/html")

    async def asset(self, request: Request) -> Response:
        """The script and the style of the page."""
        kind = {".js": "text/javascript", ".css": "text/css"}
        name = request.url.path.removeprefix("/")
        return Response(TEMPLATES.joinpath(name).read_bytes(), media_type=kind[Path(name).suffix])

    async def events(self, request: Request) -> Response:
        """What there is to see, again whenever it changes: server-sent events."""
        self._only_leader(request)
        if self.viewers >= VIEWERS:
            raise HTTPException(503)
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=headers)

    async def code(self, request: Request) -> Response:
        """The file that somebody shows."""
        self._only_leader(request)
        everyone = self.people.everyone.values()
        shown = [each.standing.code for each in everyone if each.number == request.path_params["number"]]
        if not any(shown):
            raise HTTPException(404)
        return PlainTextResponse(shown[0])

    async def _stream(self) -> AsyncIterator[str]:
        self.viewers += 1
        try:
            yield "retry: 1000\n\n"
            while not self.over:
                sent = self.people.version
                yield f"data: {self._view()}\n\n"
                waited = 0.0
                while not self.over and (waited < LOOK or (self.people.version == sent and waited < IDLE)):
                    await asyncio.sleep(LOOK)
                    waited += LOOK
        finally:
            self.viewers -= 1

    def _view(self) -> str:
        """The view as JSON, made once for all pages."""
        key = (self.people.version, int(time.monotonic()))
        if self._made[0] != key:
            seen = view(self.people, self.catalog, self.room_file.trouble, sum(self.guesses.counts.values()))
            self._made = (key, json.dumps(seen, ensure_ascii=False))
        return self._made[1]

    @property
    def _cookie(self) -> str:
        return f"room-{self.people.room}"  # cookies do not tell ports apart, and there may be two rooms on a machine

    def _leads(self, request: Request) -> bool:
        return _same(request.cookies.get(self._cookie, ""), self.people.leader)

    def _only_leader(self, request: Request) -> None:
        if not self._leads(request):
            raise HTTPException(404)

    def _person(self, request: Request) -> Person:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        person = self.people.find(token)
        if person is None:
            raise HTTPException(UNKNOWN)
        return person


async def _body(request: Request, most: int) -> bytes:
    """The body of a request; refused where it is too long or too slow."""

    async def read() -> bytes:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise HTTPException(413, headers={"Connection": "close"})
        return bytes(body)

    try:
        return await asyncio.wait_for(read(), BODY_SECONDS)
    except asyncio.TimeoutError:
        raise HTTPException(408, headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise HTTPException(400) from None


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HTTPException(400)
    return content


def _text(asked: dict[str, Any], name: str) -> str:
    text = asked.get(name)
    if not isinstance(text, str):
        raise HTTPException(400)
    return text


def _same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _with_headers(app: ASGIApp) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The app, with the headers that every answer has."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS.items()]
            await send(message)

        await app(scope, receive, with_headers)

    return wrapped
