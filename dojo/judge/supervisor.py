"""A verdict by a forked child, which is watched: its time on the clock, what it prints, whether a verdict comes."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import time
from typing import NoReturn

from ..sandbox.limits import bound_resources
from .messages import Event, Request, line_of
from .request_queue import CANCELLED, RequestQueue
from .run import judge
from .verdict import Verdict
from .worker import Worker


def supervise(request: Request, requests: RequestQueue) -> Verdict:
    """Have a child judge, and watch it, and attend to the clients meanwhile: they may no longer want to know."""
    child = ForkedWorker(request, requests)
    try:
        child.watch(requests)
    finally:
        child.close()
    return child.verdict()


class ForkedWorker(Worker):
    """A forked process that judges a request."""

    def __init__(self, request: Request, requests: RequestQueue):
        super().__init__(request)
        self._sends, give_events = os.pipe()
        self._prints, give_output = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(self._sends)
            os.close(self._prints)
            requests.close(child=True)  # who asks is to notice when the server is gone, though its child be still there
            _be_the_child(request, give_events, give_output)
        os.close(give_events)
        os.close(give_output)

    def watch(self, requests: RequestQueue) -> None:
        """Read its events and its output until it ends, has to be stopped, or nobody waits for it any more."""
        over = False
        with selectors.DefaultSelector() as selector:
            for pipe in (self._sends, self._prints, requests.fileno()):
                selector.register(pipe, selectors.EVENT_READ)
            while not self.trouble:
                ready = [key.fd for key, _ in selector.select(0 if over else 0.25)]
                if requests.fileno() in ready:
                    ready.remove(requests.fileno())
                    requests.attend()
                    if requests.cancelled():
                        self._cancel()
                        return
                for pipe in ready:
                    if not self._read(pipe):
                        selector.unregister(pipe)
                if over and not ready:  # all of it is read
                    return
                self.stop_what_does_not_end()
                if not ready:  # a process that it left behind may hold the pipes open
                    self._wait()
                over = self.status is not None or self._sends not in selector.get_map()

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
        os.close(self._sends)
        os.close(self._prints)

    def _read(self, pipe: int) -> bool:
        """Read what there is; False at the end of the pipe."""
        data = os.read(pipe, 65536)
        if data:
            (self.take_event if pipe == self._sends else self.take_output)(data)
        return bool(data)

    def _cancel(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        self.sent, self.output, self.trouble = b"", b"", CANCELLED

    def _wait(self, how: int = getattr(os, "WNOHANG", 0)) -> None:
        """Note how it ended, where it has."""
        if self.status is None:
            ended, status = os.waitpid(self.process, how)
            self.status = os.waitstatus_to_exitcode(status) if ended else None


def _be_the_child(request: Request, give_events: int, give_output: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        for given, standard in ((null, 0), (give_output, 1), (give_output, 2)):
            os.dup2(given, standard)
        bound_resources()
        hand_in(request, give_events)
    finally:
        os._exit(0)


def hand_in(request: Request, give_events: int) -> NoReturn:
    """Judge in this process, which ends with it: the verdict goes, as an event, to the open file of that number."""
    me = os.getpid()

    def send(event: Event) -> None:
        data = line_of(event).encode()
        while data and os.getpid() == me:  # a process forked by the learner's code has no say
            data = data[os.write(give_events, data) :]

    try:
        sys.stdout = os.fdopen(1, "w", 1, "utf-8", "backslashreplace", closefd=False)
        verdict = judge(request, send)
        with contextlib.suppress(Exception):  # the learner's code may have closed them
            sys.stdout.flush()
            sys.stderr.flush()
        send(Event("verdict", verdict=verdict))
    except BaseException as error:
        send(Event("trouble", f"Your code ends the program: it raises {type(error).__name__}."))
    finally:
        os._exit(0)
