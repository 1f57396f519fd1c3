"""The process in which races are run: code that hangs or dies there takes no bench with it.

It reads one job, a JSON object, and writes events, a JSON object a line: `turn` (whose turn begins) with `limit`
(seconds it may take), `facts`, `rows`, `refused`, `left_out`, `load_after`, `trouble` with `exit`, and `end`.
`dojo.bench.watchdog` is at the other end.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

Send = Callable[[dict[str, Any]], None]


def main() -> None:
    """Run the job on standard input."""
    job = json.loads(sys.stdin.readline())
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a learner's code prints is no event

    def send(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    try:
        run(job, send)
    except BaseException as error:
        traceback.print_exc()
        text = str(error).strip().split("\n")[0]
        send({"trouble": f"{type(error).__name__}: {text}", "exit": 1})
    send({"end": True})


def run(job: dict[str, Any], send: Send) -> None:
    """Run a job in this process."""
    import torch

    from . import katas, machine
    from . import sweep as course

    try:
        job["device"] = machine.find_device(job["device"])
    except machine.UnknownDevice as error:
        send({"trouble": str(error), "exit": 2})
        return
    if job["device"].startswith("cuda"):
        torch.cuda.set_device(torch.device(job["device"]).index or 0)  # events are of the current device
    {"attention": course.run, "kata": katas.run}[job["plan"]](job, send)
    send({"load_after": machine.load()})


if __name__ == "__main__":
    main()
