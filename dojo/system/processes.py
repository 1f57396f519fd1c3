"""Processes of this program: the environment they are started in, how long they may take, how they end.

Nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

HOME = Path(__file__).resolve().parents[2]  # the folder from which `dojo` is imported
PATIENCE = float(os.environ.get("DOJO_PATIENCE") or 1)  # multiplies every limit of time, for slow machines


def environment(**more: str) -> dict[str, str]:
    """This process's environment for a Python process that imports this very `dojo`, with `more` variables set."""
    paths = [str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | more


def wait_passively() -> None:
    """Have torch's threads sleep while they wait for each other; said before torch is loaded, or nothing comes of it.

    Threads that spin take the very core that the other one waits for, where another program is at work: 20 times
    slower was measured on two cores that were busy otherwise.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def start(command: list[str] | str, folder: Path, **options: Any) -> subprocess.Popen[str]:
    """Start a program, or a line for the shell, in a folder; `options` are those of `subprocess.Popen`. Raises OSError.

    It has a session of its own: an interrupt is for this process, which then ends that one and all that it started. On
    Windows it reaches both, and has to: there nothing interrupts who waits for a line, but the end of the lines does.
    """
    return subprocess.Popen(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        **options,
    )


def end(process: subprocess.Popen[Any], seconds: float = 0.0) -> int:
    """End a process of a session of its own, and all that it started; returns its status.

    Within `seconds` it may end by itself, once it has been asked to (SIGTERM). Its pipes are closed.
    """
    asks = hasattr(os, "killpg")  # Windows does not ask but ends it, and then nothing leads to what it has started
    if asks and seconds and process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if asks or process.poll() is None:
        end_session(process.pid)
    process.kill()
    status = process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    return status


def end_session(leader: int | None) -> None:
    """End a process, by its number, and all of the session that it leads; on Windows, it and all that it started."""
    if leader and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    elif leader:
        with contextlib.suppress(OSError):
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(leader)], capture_output=True)


def how_it_ended(status: int) -> str:
    """How a process ended by itself, in words that follow its name: `was ended by the system, …`.

    `status` is that of `subprocess`: an exit status, or minus the number of the signal that ended it, or on Windows the
    number of what it crashed with.
    """
    if status >= 0xC0000000:
        return f"crashed Python itself (0x{status:X})"
    if status == -signal.SIGKILL if hasattr(signal, "SIGKILL") else False:
        return "was ended by the system, for want of memory as it seems"
    if status < 0:
        return f"crashed Python itself ({signal.Signals(-status).name})"
    return f"ended the process with status {status}"


@contextlib.contextmanager
def on_signals(names: Iterable[str], handler: Callable[[int, Any], object] | signal.Handlers) -> Iterator[None]:
    """Have a handler for signals, of those names that the system has; afterwards they do what they did before."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def lines_of(stream: IO[str] | None) -> queue.Queue[str]:
    """The lines of a pipe as they come, then an empty one; a thread reads them, so that one can wait for so long."""
    assert stream is not None
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        with contextlib.suppress(ValueError):  # closed meanwhile
            for line in stream:
                lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    return lines
