"""A process that judges one request: what it has sent and printed, why it was stopped, how it ended.

No verdict means failed, whatever the exit status. No torch here.
"""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

from ..curriculum.catalog import Catalog
from ..system.processes import PATIENCE, how_it_ended
from .messages import Event, EventKind, Request, event_of
from .verdict import Verdict

CLOCK = 300.0 * PATIENCE  # seconds a verdict may take in all
SILENCE = 60.0 * PATIENCE  # seconds without an event: code that no signal interrupts, or one that swallows them
FLOOD = 1_000_000  # bytes a learner's code may print
KEPT = 4_000  # bytes of them that are kept
NO_END = "Your code did not come to an end and had to be stopped: an endless loop?"


class Worker:
    """What is known of a process that judges a request; `trouble` is why it was, or has to be, stopped."""

    def __init__(self, request: Request):
        self.request = request
        self.sent: bytes = b""  # its events
        self.output: bytes = b""  # what it printed, up to KEPT bytes
        self.printed = 0  # bytes
        self.trouble = ""
        self.status: int | None = None  # of its end, in the convention of `subprocess`
        self.started = self.last_event = time.monotonic()

    def take_event(self, data: bytes) -> None:
        """Note what it has sent."""
        self.sent += data
        self.last_event = time.monotonic()

    def take_output(self, data: bytes) -> None:
        """Note what the learner's code has printed."""
        self.output, self.printed = (self.output + data)[:KEPT], self.printed + len(data)

    def stop_what_does_not_end(self, silence: float = SILENCE) -> None:
        """Note that it has to be stopped, where it prints or runs without end."""
        now = time.monotonic()
        if self.printed > FLOOD:
            self.trouble = f"Your code prints without end: more than {FLOOD:,} characters."
        elif now - self.started > CLOCK or now - self.last_event > silence:
            self.trouble = NO_END

    def verdict(self) -> Verdict:
        """The verdict that it has handed in, or what is known without."""
        events = {event.kind: event for event in self._events()}
        final = events.get("verdict") or events.get("undiagnosed")
        if final and final.verdict and not (self.trouble and "undiagnosed" not in events):
            verdict = final.verdict
        else:
            own = events["trouble"].text if "trouble" in events else ""
            verdict = _without_verdict(self.request, events, self.trouble or own or _how_it_ended(self.status))
        verdict.output = self.output.decode("utf-8", errors="replace")
        return verdict

    def _events(self) -> list[Event]:
        events = []
        for line in self.sent.splitlines():
            with contextlib.suppress(ValueError):  # a line that the learner's code wrote there
                events.append(event_of(line))
        return events


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
    if status is not None and status < 0:
        name = signal.Signals(-status).name
        if name == "SIGXCPU":  # it took no notice of TimeUp
            return NO_END
        if name == "SIGKILL":
            return "Your code was killed by the system: it probably took too much memory."
    if status is not None and how_it_ended(status).startswith("crashed"):
        return f"Your code {how_it_ended(status)}."
    return "Your code ended the program before there was a verdict (os._exit?)."
