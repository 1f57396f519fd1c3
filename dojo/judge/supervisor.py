"""A verdict by a forked child, which is watched: its time on the clock, what it prints, whether it hands a verdict in.

No verdict means failed, whatever the exit status.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from ..curriculum.catalog import Catalog
from ..sandbox.limits import bound_resources
from ..system.processes import PATIENCE, how_it_ended
from .askers import CANCELLED, Askers
from .messages import Event, EventKind, Request, event_of, line_of
from .run import judge
from .verdict import Verdict

CLOCK = 300.0 * PATIENCE  # seconds a verdict may take in all
SILENCE = 60.0 * PATIENCE  # seconds without an event: code that no signal interrupts, or one that swallows them
FLOOD = 1_000_000  # bytes a learner's code may print
KEPT = 4_000  # bytes of them that are kept
NO_END = "Your code did not come to an end and had to be stopped: an endless loop?"


def supervise(request: Request, askers: Askers) -> Verdict:
    """Have a child judge, and watch it, and the askers meanwhile: they may no longer want to know."""
    child = Child(request, askers)
    try:
        child.watch(askers)
    finally:
        child.close()
    events = {event.kind: event for event in child.events()}
    final = events.get("verdict") or events.get("undiagnosed")
    if final and final.verdict and not (child.trouble and "undiagnosed" not in events):
        verdict = final.verdict
    else:
        own = events["trouble"].text if "trouble" in events else ""
        verdict = _without_verdict(request, events, child.trouble or own or _how_it_ended(child.status))
    verdict.output = child.output.decode("utf-8", errors="replace")
    return verdict


class Child:
    """A forked process that judges a request."""

    def __init__(self, request: Request, askers: Askers):
        self.sent = self.output = b""  # its events; what it printed, up to KEPT bytes
        self.printed = 0  # bytes
        self.trouble = ""  # why it was stopped
        self.status: int | None = None  # of its end, in the convention of `subprocess`
        self._events, give_events = os.pipe()
        self._outputs, give_output = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(self._events)
            os.close(self._outputs)
            askers.close(child=True)  # who asks is to notice when the server is gone, though its child be still there
            _be_the_child(request, give_events, give_output)
        os.close(give_events)
        os.close(give_output)

    def watch(self, askers: Askers) -> None:
        """Read its events and its output until it ends, has to be stopped, or nobody waits for it any more."""
        started = last_event = time.monotonic()
        over = False
        with selectors.DefaultSelector() as selector:
            for pipe in (self._events, self._outputs, askers.fileno()):
                selector.register(pipe, selectors.EVENT_READ)
            while not self.trouble:
                ready = [key.fd for key, _ in selector.select(0 if over else 0.25)]
                if askers.fileno() in ready:
                    ready.remove(askers.fileno())
                    askers.attend()
                    if askers.cancelled():
                        self._cancel()
                        return
                for pipe in ready:
                    if not self._read(pipe):
                        selector.unregister(pipe)
                    elif pipe == self._events:
                        last_event = time.monotonic()
                if over and not ready:  # all of it is read
                    return
                self._stop_what_does_not_end(started, last_event)
                if not ready:  # a process that it left behind may hold the pipes open
                    self._wait()
                over = self.status is not None or self._events not in selector.get_map()

    def close(self, seconds: float = 0.5) -> None:
        """Let it end by itself for a moment, then kill it and whatever it has left running."""
        deadline = time.monotonic() + seconds
        self._wait()
        while self.status is None and time.monotonic() < deadline:
            time.sleep(0.002)
            self._wait()
        if self.status is None:
            os.kill(self.process, signal.SIGKILL)
            self._wait(0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)
        os.close(self._events)
        os.close(self._outputs)

    def events(self) -> list[Event]:
        """What it has sent."""
        events = []
        for line in self.sent.splitlines():
            with contextlib.suppress(ValueError):  # a line that the learner's code wrote there
                events.append(event_of(line))
        return events

    def _read(self, pipe: int) -> bool:
        """Read what there is; False at the end of the pipe."""
        data = os.read(pipe, 65536)
        if pipe == self._events:
            self.sent += data
        else:
            self.output, self.printed = (self.output + data)[:KEPT], self.printed + len(data)
        return bool(data)

    def _stop_what_does_not_end(self, started: float, last_event: float) -> None:
        now = time.monotonic()
        if self.printed > FLOOD:
            self.trouble = f"Your code prints without end: more than {FLOOD:,} characters."
        elif now - started > CLOCK or now - last_event > SILENCE:
            self.trouble = NO_END

    def _cancel(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        self.sent, self.output, self.trouble = b"", b"", CANCELLED

    def _wait(self, how: int = getattr(os, "WNOHANG", 0)) -> None:
        """Note how it ended, where it has."""
        if self.status is None:
            ended, status = os.waitpid(self.process, how)
            self.status = os.waitstatus_to_exitcode(status) if ended else None


def _be_the_child(request: Request, give_events: int, give_output: int) -> NoReturn:
    me = os.getpid()

    def send(event: Event) -> None:
        data = line_of(event).encode()
        while data and os.getpid() == me:  # a process forked by the learner's code has no say
            data = data[os.write(give_events, data) :]

    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        for given, standard in ((null, 0), (give_output, 1), (give_output, 2)):
            os.dup2(given, standard)
        sys.stdout = os.fdopen(1, "w", 1, "utf-8", "backslashreplace", closefd=False)
        bound_resources()
        verdict = judge(request, send)
        with contextlib.suppress(Exception):  # the learner's code may have closed them
            sys.stdout.flush()
            sys.stderr.flush()
        send(Event("verdict", verdict=verdict))
    except BaseException as error:
        send(Event("trouble", f"Your code ends the program: it raises {type(error).__name__}."))
    finally:
        os._exit(0)


def _without_verdict(request: Request, events: dict[EventKind, Event], trouble: str) -> Verdict:
    """The verdict where the child handed none in: at the claim that it was at, with the steps that it knew of."""
    kata = Catalog(Path(request.root)).by_slug(request.slug)
    verdict = Verdict(kata.code, "error", message=trouble)
    if "steps" in events and (known := events["steps"].verdict):
        verdict.steps, verdict.stand_ins = known.steps, known.stand_ins
    if "claim" not in events:
        verdict.message += " It happened while the file was imported."
    for step in verdict.steps:
        for result in step.properties:
            if "claim" in events and result.name == events["claim"].text:
                verdict.step, verdict.claim, verdict.property = step.step, result.claim, result.name
                step.status = "failed"
    return verdict


def _how_it_ended(status: int | None) -> str:
    if status == -signal.SIGXCPU:  # it took no notice of TimeUp
        return NO_END
    if status == -signal.SIGKILL:
        return "Your code was killed by the system: it probably took too much memory."
    if status is not None and status < 0:
        return f"Your code {how_it_ended(status)}."
    return "Your code ended the program before there was a verdict (os._exit?)."
