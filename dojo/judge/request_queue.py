"""Those who ask the server: their connections, and their requests in the order in which they came.

One connection is one client. A later request of a client puts an end to its earlier ones, whose answers then say so;
so does hanging up, without an answer. Whoever asks for a verdict by other files than the server has loaded is hung up
on, and the server, which nobody new finds from then on, ends once it has answered the others.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .messages import ControlRequest, Request, Response, ServerStatus, line_of, message_of
from .verdict import Verdict

CANCELLED = "Another verdict was asked for before this one was there."
IDLE = 600.0  # seconds without a client after which a server that can be found ends
LOOK = 60.0  # seconds between looks whether its clone is still there
READS = 10.0  # seconds within which a client must take its answer in


class Connection:
    """One end of a connection: a socket, or the two pipes of a process that has a server of its own."""

    def __init__(self, reads: int, writes: int, connection: socket.socket | None = None):
        self.reads, self.writes, self.connection = reads, writes, connection
        self.read = b""  # the beginning of a line
        self.left = False
        os.set_blocking(writes, False)

    def lines(self) -> Iterator[bytes]:
        """The lines that have come; notes when the client has hung up."""
        try:
            data = os.read(self.reads, 65536)
        except BlockingIOError:  # a false alarm
            return
        except OSError:  # reset
            data = b""
        self.left = not data
        *lines, self.read = (self.read + data).split(b"\n")
        yield from lines

    def send(self, message: Response | ServerStatus) -> None:
        """Send a line; a client that does not take it in has left."""
        data = line_of(message).encode()
        try:
            while data:
                if not select.select([], [self.writes], [], READS)[1]:
                    raise TimeoutError
                data = data[os.write(self.writes, data) :]
        except OSError:
            self.left = True

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()


class RequestQueue:
    """The clients of a server; with a `listener`, a listening socket, others may come."""

    def __init__(self, stamp: str, listener: socket.socket | None = None):
        self.stamp, self.listener = stamp, listener
        self.queue: list[tuple[Connection, Request]] = []  # the first is the one being judged
        self.clients: dict[int, Connection] = {}  # by the file that is read
        self._retired = False
        self._started = self._last = time.monotonic()  # no clock that anyone sets
        self._selector = selectors.DefaultSelector()
        if listener is None:
            self._welcome(Connection(0, 1))
        else:
            self._address, self._root = listener.getsockname(), os.getcwd()
            self._known = _identity(self._address), _identity(self._root)
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)

    def fileno(self) -> int:
        """A file that is ready to be read when a client wants something."""
        return self._selector.fileno()  # type: ignore[attr-defined,no-any-return]  # epoll's and kqueue's have it

    def attend(self, seconds: float = 0.0) -> None:
        """Take in what comes within so many seconds."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self.listener:
                with contextlib.suppress(OSError):  # gone already
                    connection, _ = self.listener.accept()
                    self._welcome(Connection(connection.fileno(), connection.fileno(), connection))
            elif client := self.clients.get(key.fd):
                self._hear(client)

    def next(self) -> Request | None:
        """The request that has waited longest, where one is there; it stays in the queue until it is answered."""
        while self.queue and self.cancelled():
            self.answer(Verdict(self.queue[0][1].slug.split("_")[0], "error", message=CANCELLED))
        return self.queue[0][1] if self.queue else None

    def cancelled(self) -> bool:
        """Whether nobody waits for the answer to the first request any more."""
        first, *others = [client for client, _ in self.queue]
        return first.left or first in others

    def answer(self, verdict: Verdict) -> None:
        """Answer the first request."""
        client, request = self.queue.pop(0)
        self._last = time.monotonic()
        if not client.left:
            client.send(Response(request.id, verdict))
            if client.left:
                self._dismiss(client)

    @property
    def present(self) -> bool:
        """Whether anybody is connected: `make test` leaves with its answer, `make watch` stays."""
        return bool(self.clients)

    def over(self) -> bool:
        """Whether the server is to end: nobody is there, and nobody can come or has come for long."""
        if self.queue:
            return False
        if self.listener is None:
            return not self.clients or self._retired
        if self._moved():
            self.retire()
            return True
        return not self.clients and time.monotonic() - self._last > IDLE

    def retire(self) -> None:
        """Let nobody new come; whoever still waits is answered."""
        self._retired = True
        if self.listener is not None:
            if _identity(self._address) == self._known[0]:  # and still open, so nobody puts another there
                with contextlib.suppress(OSError):
                    os.unlink(self._address)
            self._selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def close(self, child: bool = False) -> None:
        """Hang up on everybody; a forked child just lets go of the files."""
        if not child:
            self.retire()
        for client in self.clients.values():
            client.close()
        if self.listener is not None:
            self.listener.close()
        with contextlib.suppress(OSError):  # no such thing in a child where it is kqueue's
            self._selector.close()

    def _welcome(self, client: Connection) -> None:
        self.clients[client.reads] = client
        self._selector.register(client.reads, selectors.EVENT_READ)

    def _dismiss(self, client: Connection) -> None:
        client.left = True
        self._last = time.monotonic()
        self._selector.unregister(client.reads)
        del self.clients[client.reads]
        client.close()

    def _hear(self, client: Connection) -> None:
        for line in client.lines():
            try:
                message = message_of(line)
            except (ValueError, TypeError):  # of another version
                message = None
            if isinstance(message, Request) and message.stamp == self.stamp:
                self.queue.append((client, message))
            elif isinstance(message, ControlRequest):
                client.send(self._standing())
                if message.wish == "end":
                    raise SystemExit
            else:
                client.left = True
                self.retire()
        if client.left:
            self._dismiss(client)

    def _standing(self) -> ServerStatus:
        return ServerStatus(os.getpid(), time.monotonic() - self._started, _memory())

    def _moved(self) -> bool:
        """Whether its clone is gone, or the socket by which it is found, or another has taken their place."""
        return (_identity(self._address), _identity(self._root)) != self._known


def _identity(path: str) -> tuple[int, int] | None:
    """What tells a file from another that takes its place."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _memory() -> int:
    """Bytes that this process holds; where the system does not tell, the most that it has held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most
