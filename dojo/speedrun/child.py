"""The other end of `dojo.speedrun.entry`: start the process of a submission, talk with it, end it. No torch here."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import tempfile
import threading
import time
from typing import Any

from ..system.processes import end
from . import rules
from .nursery import Nursery
from .rules import RuleBroken

KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV")  # of the environment
CHOSEN = "CUDA_VISIBLE_DEVICES"  # which GPUs a process may see: none where the race is on the CPU
LAST = 300  # characters of what it printed that are shown
Message = tuple[dict[str, Any], bytes]


class Child:
    """A process for one job, in an empty folder of its own that goes with it; a context manager."""

    def __init__(self, nursery: Nursery, job: dict[str, Any], source: bytes):
        self._folder = tempfile.TemporaryDirectory(prefix="speedrun-", ignore_cleanup_errors=True)
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._printed, self._flooded = bytearray(), False
        self._process = nursery.start(self._folder.name, self._environment(job["device"]))
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._drain)]
        for thread in self._threads:
            thread.start()
        try:
            self.send(job, source)
            self.receive(rules.START, "no crash")  # it says that it is ready
        except BaseException:
            self.close()
            raise

    def _environment(self, device: str) -> dict[str, str]:
        folder = self._folder.name
        kept = {name: os.environ[name] for name in (*KEPT, CHOSEN) if name in os.environ}
        kept |= {name: folder for name in ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME")}
        return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | ({CHOSEN: ""} if device == "cpu" else {})

    def send(self, message: dict[str, Any], payload: bytes = b"") -> None:
        """Say something to it. Where it does not live any more, `receive` says so."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message | {"size": len(payload)}).encode() + b"\n" + payload)
            self._process.stdin.flush()

    def receive(self, seconds: float, rule: str) -> Message:
        """What it says, within so many seconds, else `rule` is broken. Raises RuleBroken."""
        try:
            message = self._messages.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise RuleBroken(rule, f"it did not come to an end within {seconds:.0f} s") from None
        if self._flooded:
            raise RuleBroken("output", f"it prints more than {rules.OUTPUT:,} bytes")
        if message is None:
            raise self._died()
        if "refused" in message[0]:
            raise RuleBroken(*message[0]["refused"])
        return message

    def ask(self, message: dict[str, Any], payload: bytes, seconds: float, rule: str) -> tuple[Message, float]:
        """Say something, and wait for what it says: the answer, and the seconds that it took. Raises RuleBroken."""
        started = time.perf_counter()
        self.send(message, payload)
        return self.receive(seconds, rule), time.perf_counter() - started

    @property
    def printed(self) -> str:
        """The last line that it printed, or nothing."""
        lines = self._printed[-LAST:].decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def _listen(self) -> None:
        """Put every message into the queue, and None when there are no more."""
        with contextlib.suppress(ValueError, KeyError, OSError):
            while line := self._process.stdout.readline(4096):
                message = json.loads(line)
                if not 0 <= message["size"] <= rules.MODEL:
                    message["refused"] = ["memory", f"it hands over {message['size']:,} bytes, {rules.MODEL:,} at most"]
                self._messages.put((message, self._process.stdout.read(message["size"])))
        self._messages.put(None)

    def _drain(self) -> None:
        """Keep what it prints, up to the limit, and end it where it goes on."""
        with contextlib.suppress(ValueError, OSError):
            while piece := os.read(self._process.stderr.fileno(), 1 << 16):
                self._printed += piece
                if len(self._printed) > rules.OUTPUT:
                    self._flooded = True
                    self._process.kill()
                    self._messages.put(None)
                    return

    def _died(self) -> RuleBroken:
        status = self._process.wait()
        if status == -9:
            return RuleBroken("memory", "the system ended its process, for want of memory as it seems")
        last = f": {self.printed}" if self.printed else ""
        return RuleBroken("no crash", f"its process ended with status {status}{last}")

    def close(self) -> None:
        """End the process, and all that it started; remove its folder."""
        end(self._process)
        for thread in self._threads:
            thread.join(1.0)
        for stream in (self._process.stdin, self._process.stderr):
            with contextlib.suppress(OSError):
                stream.close()
        self._folder.cleanup()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
