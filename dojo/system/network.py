"""This machine's addresses in its networks."""

from __future__ import annotations

import contextlib
import socket

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ADDRESS_OF = 0x8915  # SIOCGIFADDR: Linux's request for the address of a network interface


def address_towards(host: str) -> str:
    """This machine's own address, as `host` sees it; nothing where no way leads there."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # nothing is sent: it only picks the interface that leads there
        return str(probe.getsockname()[0])
    return ""


def interfaces() -> dict[str, str]:
    """The address of each network interface that has one, by its name; none where that cannot be known."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError, AttributeError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has no address
                answer = fcntl.ioctl(probe, ADDRESS_OF, name.encode()[:15].ljust(256, b"\0"))
                found[name] = socket.inet_ntoa(answer[20:24])
    return found
