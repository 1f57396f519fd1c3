"""The warm process: torch and the rest imported once, and a forked child for each verdict.

It reads requests, a JSON object a line, and answers each with a verdict, a JSON object a line. A request that comes
while another is judged puts an end to that one, whose answer then says so. The child judges; the
warm process only watches it: its time on the clock, what it prints, and whether it hands in a verdict at all. No
verdict means failed, whatever the exit status.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ..curriculum.catalog import Catalog
from ..sandbox.limits import bound_resources
from ..sandbox.loader import Workspace
from ..spec.errors import Stop
from ..spec.isolation import hide_gpus
from ..system.processes import PATIENCE
from .run import Judgement
from .verdict import Verdict

REQUESTS = 0  # standard input
CLOCK = 120.0 * PATIENCE  # seconds a verdict may take in all
SILENCE = 60.0 * PATIENCE  # seconds without news: code that no signal interrupts, or one that swallows them
FLOOD = 1_000_000  # bytes a learner's code may print
KEPT = 4_000  # bytes of them that are kept
CANCELLED = "Another verdict was asked for before this one was there."
NO_END = "Your code did not come to an end and had to be stopped: an endless loop?"


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # a child that is being watched is ended first
    hide_gpus()
    torch.set_num_threads(1)  # small tensors are 20 times slower on several; and a fork after threads hangs
    gc.collect()
    gc.freeze()
    rehearsals: dict[str, Iterator[None]] = {}
    with open(REQUESTS, "rb", buffering=0, closefd=False) as requests:  # `_watch` must see the next one come
        for line in requests:
            request = json.loads(line)
            answer = supervise(request) if hasattr(os, "fork") else judge(request, lambda event: None)
            print(json.dumps(answer), flush=True)
            if hasattr(os, "fork"):
                rehearsal = rehearsals.setdefault(request["slug"], rehearse(request))
                while not _waiting() and next(rehearsal, "over") != "over":
                    pass


def rehearse(request: dict[str, Any]) -> Iterator[None]:
    """Judge the solution in this process, bit by bit, while the learner reads the verdict and nobody waits.

    What that imports and draws and sets up for the first time, every child to come then has from the start.
    """
    if not torch.accelerator.is_available():  # else a backward pass starts a thread, and children have none then
        catalog = Catalog(Path(request["root"]))
        kata = catalog.by_slug(request["slug"])
        with contextlib.suppress(Exception, Stop):  # what is wrong with a kata its verdict says
            judgement = Judgement(kata, Workspace(catalog), kata.solution)
            yield
            judgement.load()
            for claim in judgement.suite.claims:
                yield
                if not claim.slow:
                    judgement.check(claim)
    yield
    # Some later kata's first optimizer imports it. It takes a second in which no request is heard, so it comes last.
    importlib.import_module("torch._dynamo")
    gc.freeze()


def _waiting() -> bool:
    """Whether the next request is there, or the end of them."""
    return bool(select.select([REQUESTS], [], [], 0)[0])


def judge(request: dict[str, Any], notify: Any) -> dict[str, Any]:
    """Judge in this very process."""
    catalog = Catalog(Path(request["root"]))
    workspace = Workspace(catalog, frozenset(request["solved"]))
    path = Path(request["path"]) if request.get("path") else None
    kata = catalog.by_slug(request["slug"])
    try:
        alone = not hasattr(os, "fork") or (os.cpu_count() or 1) < 2
        judgement = Judgement(kata, workspace, path, notify)
        judgement.diagnoses = request["diagnose"]
        return judgement.run(alone=alone).as_dict()
    except Exception as error:  # the machinery itself broke
        trace = traceback.format_exc()
        message = f"The judge itself failed: {type(error).__name__}: {error}. Please report it, with --traceback."
        return Verdict(kata.code, "error", message=message, traceback=trace).as_dict()


def supervise(request: dict[str, Any]) -> dict[str, Any]:
    """Fork a child that judges, and watch it."""
    results, give_result = os.pipe()
    outputs, give_output = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(results)
        os.close(outputs)
        _be_the_child(request, give_result, give_output)
    os.close(give_result)
    os.close(give_output)
    status = None
    try:
        events, output, trouble, status = _watch(child, results, outputs)
    finally:
        if status is None:
            status = _end(child)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # whatever it has left running
        os.close(results)
        os.close(outputs)
    told = {kind: value for event in events for kind, value in event.items()}
    verdict = told.get("verdict") or told.get("undiagnosed")
    if trouble and "undiagnosed" not in told or verdict is None:
        verdict = _without_verdict(request, told, trouble or told.get("trouble") or _how_it_ended(status))
    return verdict | {"output": output}


def _be_the_child(request: dict[str, Any], give_result: int, give_output: int) -> None:
    me = os.getpid()

    def send(event: dict[str, Any]) -> None:
        data = (json.dumps(event) + "\n").encode()
        while data and os.getpid() == me:  # a process forked by the learner's code has no say
            data = data[os.write(give_result, data) :]

    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(give_output, 1)
        os.dup2(give_output, 2)
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
        bound_resources()
        answer = judge(request, send)
        with contextlib.suppress(Exception):  # the learner's code may have closed them
            sys.stdout.flush()
            sys.stderr.flush()
        send({"verdict": answer})
    except BaseException as error:
        send({"trouble": f"Your code ends the program: it raises {type(error).__name__}."})
    finally:
        os._exit(0)


def _watch(child: int, results: int, outputs: int) -> tuple[list[dict[str, Any]], str, str, int | None]:
    """Read the child's events and its output until it ends or has to be stopped: (events, output, trouble, status)."""
    started = last_event = time.monotonic()
    told, output, printed = b"", b"", 0
    trouble, status, over = "", None, False
    with selectors.DefaultSelector() as selector:
        selector.register(results, selectors.EVENT_READ)
        selector.register(outputs, selectors.EVENT_READ)
        selector.register(REQUESTS, selectors.EVENT_READ)
        while not trouble:
            ready = selector.select(0 if over else 0.25)
            for key, _ in ready:
                if key.fd == REQUESTS:
                    os.kill(child, signal.SIGKILL)
                    return [], "", CANCELLED, None
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fd)
                elif key.fd == results:
                    told, last_event = told + data, time.monotonic()
                else:
                    output, printed = (output + data)[:KEPT], printed + len(data)
            if over and not ready:  # all of it is read
                break
            now = time.monotonic()
            over = results not in selector.get_map() or told.endswith(b"\n") and b'\n{"verdict": ' in told
            if printed > FLOOD:
                trouble = f"Your code prints without end: more than {FLOOD:,} characters."
            elif now - started > CLOCK or now - last_event > SILENCE:
                trouble = NO_END
            elif not ready and status is None:  # a process that it left behind may hold the pipes open
                ended, how = os.waitpid(child, os.WNOHANG)
                status = how if ended else None
            over = over or status is not None
    return _events(told), output.decode("utf-8", errors="replace"), trouble, status


def _end(child: int, seconds: float = 0.5) -> int:
    """Wait a moment for the child to end by itself, else kill it; returns how it ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _events(told: bytes) -> list[dict[str, Any]]:
    found = []
    for line in told.splitlines():
        with contextlib.suppress(ValueError):  # a line that the learner's code wrote there
            found.append(json.loads(line))
    return [event for event in found if isinstance(event, dict)]


def _without_verdict(request: dict[str, Any], told: dict[str, Any], trouble: str) -> dict[str, Any]:
    kata = Catalog(Path(request["root"])).by_slug(request["slug"])
    known = {name: told[name] for name in ("step", "claim", "property", "steps", "stand_ins") if name in told}
    verdict = Verdict.from_dict(Verdict(kata.code, "error", message=trouble).as_dict() | known)
    if verdict.step is None:
        verdict.message += " It happened while the file was imported."
    for entry in verdict.steps:
        if entry.step == verdict.step:
            entry.status = "failed"
    return verdict.as_dict()


def _how_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:  # it took no notice of TimeUp
            return NO_END
        if number == signal.SIGKILL:
            return "Your code was killed by the system: it probably took too much memory."
        return f"Your code crashed Python itself ({signal.Signals(number).name})."
    return "Your code ended the program before there was a verdict (os._exit?)."


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
