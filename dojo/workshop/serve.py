"""Open a room: find a port, say where it is, serve it until Ctrl-C. Nothing here loads torch."""

from __future__ import annotations

import contextlib
import os
import socket

import uvicorn

from ..learner.room import PORT
from ..learner.session import Session
from ..system.command import command
from ..system.console import console, count, warn
from ..system.network import address_towards, interfaces
from .room_file import RoomFile, put_aside
from .web import Web

PORTS = 20  # how many are tried, where others have the first
CONNECTIONS = 800  # below the 1024 files that a process may have open on most systems
HEADER_BYTES = 16 * 1024
VIRTUAL = ("docker", "br-", "veth", "virbr")  # interfaces in which no learner is


class RoomError(Exception):
    """The room cannot be opened; the message says why."""


class Server(uvicorn.Server):
    """A server that lets its pages go when it ends: they would stay open for ever."""

    def __init__(self, web: Web):
        super().__init__(
            uvicorn.Config(
                web.app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=2,
                limit_concurrency=CONNECTIONS,
                h11_max_incomplete_event_size=HEADER_BYTES,
            )
        )
        self.web = web

    def handle_exit(self, sig: int, frame: object) -> None:
        """Begin to end."""
        self.web.over = True
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


def serve(session: Session, port: int = 0, new: bool = False) -> None:
    """Open the room of a port, as it was left or a new one, and serve it until it is interrupted. Raises RoomError."""
    listening = _listen(port)
    port = listening.getsockname()[1]
    path = session.root / ".dojo" / "rooms" / f"{port}.sqlite"
    if new:
        put_aside(path)
    try:
        room_file = RoomFile(path)
    except OSError as error:
        raise RoomError(f"The room cannot be kept: {error}. It needs a disk with space on it.") from error
    if room_file.damaged:
        warn(f"The room's file was damaged. It is put aside in {session.relative(path.parent)}; this is a new room.")
    addresses = [f"{address}:{port}" for address in own_addresses()]
    _announce(room_file, addresses, port)
    try:
        with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again once it has ended
            Server(Web(room_file, session.catalog, addresses[0])).run(sockets=[listening])
    finally:
        room_file.close()
    again = command("room", PORT=port if port != PORT else "")
    console.print(f"\nThe room is closed, and kept. To open it again, with all who are in it: {again}", soft_wrap=True)


def _announce(room_file: RoomFile, addresses: list[str], port: int) -> None:
    people = room_file.people
    console.print(f"The room is open. Its code is {people.code}", style="bold")
    if people.everyone:
        new = command("room", NEW=True)
        who = count(len(people.everyone), "learner")
        console.print(f"It goes on as it was left, with {who}. A new one: {new}", soft_wrap=True)
    console.print("\nLearners join it by:")
    for address in addresses:
        console.print(f"    make watch ROOM={address} CODE={people.code} NAME=…", soft_wrap=True)
    if addresses[0].startswith("127."):
        warn("This machine has no address in a network: only who sits at it can join.")
    console.print("\nYour page; the address is for you alone, and opens it in any browser:")
    console.print(f"    http://127.0.0.1:{port}/lead/{people.leader}", soft_wrap=True)
    console.print("\nCtrl-C closes the room.")


def _listen(port: int) -> socket.socket:
    """A socket on the port, or without one on the first of several that is free."""
    tried = [port] if port else range(PORT, PORT + PORTS)
    for number in tried:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name == "posix":  # elsewhere it would take the port from whoever has it
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("0.0.0.0", number))
            listening.listen(512)
        except (OSError, OverflowError) as error:
            listening.close()
            reason = error
        else:
            return listening
    which = f"Port {port} cannot be had" if port else f"None of the ports {PORT} to {PORT + PORTS - 1} can be had"
    raise RoomError(f"{which}: {reason}. Another one: {command('room', PORT=9000)}")


def own_addresses() -> list[str]:
    """The addresses by which others in the network may find this machine; its own for itself where there is none."""
    found = [address_towards("192.0.2.1")]  # an address that nobody has: whatever leads out
    with contextlib.suppress(OSError):
        found += [str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    found += [address for name, address in interfaces().items() if not name.startswith(VIRTUAL)]
    useful = [each for each in dict.fromkeys(found) if each and not each.startswith(("127.", "169.254.", "0."))]
    return useful or ["127.0.0.1"]
