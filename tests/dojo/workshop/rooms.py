"""A room that runs in a process of its own, as its leader and as others see it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dojo.learner.room import Room, Standing

PATIENCE = 60.0  # seconds that something may take on a busy machine
FAILED = Standing("k05", 4, "failed", "test_scale", "Scores are divided by √d.", 1, 0, ("scaled by the input width",))


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: Any) -> Any:
    """Wait until a call gives something true; what it gives."""
    end = time.monotonic() + PATIENCE
    while not (got := what()):
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.05)
    return got


class Served:
    """`dojo room` in a tree, at a port that stays the same when it is opened again."""

    def __init__(self, root: Path, port: int = 0):
        self.root, self.port, self.log = root, port or free_port(), root / f"room-{port}.log"
        self.open()

    def open(self, *words: str) -> None:
        """Open it, and wait until it answers."""
        environment = os.environ | {"DOJO_ROOT": str(self.root), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "dojo", "room", "--port", str(self.port), *words]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        until(lambda: "Ctrl-C closes" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said
        self.code = re.search(r"code is (\w+)", self.said).group(1)
        self.lead = re.search(r"(/lead/\S+)", self.said).group(1)
        _, headers, _ = self.ask("GET", self.lead)
        self.cookie = {"Cookie": headers["set-cookie"].split(";")[0]}

    @property
    def said(self) -> str:
        """What it printed."""
        return self.log.read_text(encoding="utf-8")

    def kill(self) -> None:
        """End it as nobody should."""
        self.process.kill()
        self.process.wait()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], str]:
        """The status, the headers and the body of an answer; a body that is not bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        with contextlib.closing(connection):
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()

    def join(self, name: str = "Ada", code: str = "", token: str = "") -> tuple[int, dict[str, str]]:
        """What comes of joining."""
        status, _, text = self.ask("POST", "/join", {"code": code or self.code, "name": name, "token": token})
        return status, json.loads(text)

    def put(self, token: str, standing: Any) -> int:
        """What comes of sending a standing."""
        return self.ask("PUT", "/me", standing, Authorization=f"Bearer {token}")[0]

    def view(self) -> dict[str, Any]:
        """What the leader's page is sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", "/events", headers=self.cookie)
            answer = connection.getresponse()
            while not (line := answer.readline()).startswith(b"data: "):
                assert line, "the stream ended"
            return json.loads(line[6:])

    def row(self, name: str) -> dict[str, Any] | None:
        """Somebody's row on the page."""
        return next((row for row in self.view()["rows"] if row["name"] == name), None)

    def member(self, folder: Path, name: str, code: str = "") -> Room:
        """Somebody who joins as learners do, with a tree of their own."""
        room = Room(folder, f"127.0.0.1:{self.port}", code or self.code, name)
        room.start(lambda: None)
        return room
