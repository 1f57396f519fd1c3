"""The warm process: torch and the rest imported once, and a forked child for each verdict.

It reads requests, a JSON object a line, and answers each with a verdict, a JSON object a line. The child judges; the
warm process only watches it: its time on the clock, what it prints, and whether it hands in a verdict at all. No
verdict means failed, whatever the exit status.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from .catalog import Catalog
from .judgement import Judgement
from .limits import bound_resources
from .verdict import Verdict
from .workspace import Workspace

CLOCK = 120.0  # seconds a verdict may take in all
SILENCE = 60.0  # seconds without news: code that no signal interrupts, or one that swallows them
FLOOD = 1_000_000  # bytes a learner's code may print
KEPT = 4_000  # bytes of them that are kept


def main() -> None:
    """Serve until the input ends."""
    torch.set_num_threads(1)  # small tensors are 20 times slower on several; and a fork after threads hangs
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        answer = supervise(request) if hasattr(os, "fork") else judge(request, lambda event: None)
        print(json.dumps(answer), flush=True)


def judge(request: dict[str, Any], notify: Any) -> dict[str, Any]:
    """Judge in this very process."""
    catalog = Catalog(Path(request["root"]))
    workspace = Workspace(catalog, frozenset(request["solved"]))
    path = Path(request["path"]) if request.get("path") else None
    kata = catalog.by_slug(request["slug"])
    try:
        return Judgement(kata, workspace, path, notify).run().as_dict()
    except Exception as error:  # the machinery itself broke
        trace = traceback.format_exc()
        message = f"The judge itself failed: {type(error).__name__}: {error}. Please report it, with --traceback."
        return Verdict(kata.code, "error", message=message, traceback=trace).as_dict()


def supervise(request: dict[str, Any]) -> dict[str, Any]:
    """Fork a child that judges, and watch it."""
    started = time.monotonic()
    results, give_result = os.pipe()
    outputs, give_output = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(results)
        os.close(outputs)
        _be_the_child(request, give_result, give_output)
    os.close(give_result)
    os.close(give_output)
    try:
        lines, output, trouble = _watch(results, outputs, started)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(results)
        os.close(outputs)
    events = [json.loads(line) for line in lines]
    verdict = next((event["verdict"] for event in reversed(events) if "verdict" in event), None)
    if trouble or verdict is None:
        verdict = _without_verdict(request, events, trouble or _how_it_ended(status))
        verdict["seconds"] = round(time.monotonic() - started, 4)
    verdict["output"] = output
    return verdict


def _be_the_child(request: dict[str, Any], give_result: int, give_output: int) -> None:
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(give_output, 1)
        os.dup2(give_output, 2)
        bound_resources()

        def send(event: dict[str, Any]) -> None:
            data = (json.dumps(event) + "\n").encode()
            while data:
                data = data[os.write(give_result, data) :]

        answer = judge(request, lambda event: send({"doing": event}))
        sys.stdout.flush()
        sys.stderr.flush()
        send({"verdict": answer})
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _watch(results: int, outputs: int, started: float) -> tuple[list[str], str, str]:
    """Read the child's events and its output until it ends or has to be stopped: (events, output, trouble)."""
    pieces: dict[int, bytes] = {results: b"", outputs: b""}
    printed = 0
    last_event = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(results, selectors.EVENT_READ)
        selector.register(outputs, selectors.EVENT_READ)
        trouble = ""
        while selector.get_map() and results in selector.get_map() and not trouble:
            for key, _ in selector.select(0.25):
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fd)
                elif key.fd == results:
                    pieces[results] += data
                    last_event = time.monotonic()
                else:
                    printed += len(data)
                    pieces[outputs] = (pieces[outputs] + data)[:KEPT]
            now = time.monotonic()
            if printed > FLOOD:
                trouble = f"Your code prints without end: more than {FLOOD:,} characters."
            elif now - started > CLOCK or now - last_event > SILENCE:
                trouble = "Your code did not come to an end and had to be stopped: an endless loop?"
        if outputs in selector.get_map() and not trouble:
            os.set_blocking(outputs, False)
            with contextlib.suppress(BlockingIOError):
                pieces[outputs] = (pieces[outputs] + os.read(outputs, KEPT))[:KEPT]
    text = pieces[outputs].decode("utf-8", errors="replace")
    return pieces[results].decode("utf-8").splitlines(), text, trouble


def _without_verdict(request: dict[str, Any], events: list[dict[str, Any]], trouble: str) -> dict[str, Any]:
    doing = [event["doing"] for event in events if "doing" in event]
    kata = Catalog(Path(request["root"])).by_slug(request["slug"])
    verdict = Verdict(kata.code, "error", message=trouble)
    importing = len(doing) <= 1
    verdict.claim = "" if importing else doing[-1]
    if importing:
        verdict.message += " It happened while the file was imported."
    return verdict.as_dict()


def _how_it_ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL:
            return "Your code was killed by the system: it probably took too much memory."
        return f"Your code crashed Python itself ({signal.Signals(number).name})."
    return "Your code ended the program before there was a verdict (os._exit?)."


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
