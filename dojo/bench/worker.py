"""The process in which races are run: code that hangs or dies there takes no bench with it.

It reads one `Job`, a JSON object, and writes events, a JSON object a line. `dojo.bench.jobs` is at the other end.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from .jobs import Event, Job, Send


def main() -> None:
    """Run the job on standard input."""
    job = Job(**json.loads(sys.stdin.readline()))
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a learner's code prints is no event

    def send(event: Event) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    try:
        run(job, send)
    except BaseException as error:
        traceback.print_exc()
        text = str(error).strip().split("\n")[0]
        send({"trouble": f"{type(error).__name__}: {text}", "exit": 1})
    send({"end": True})


def run(job: Job, send: Send) -> None:
    """Run a job in this process."""
    import torch

    from . import katas, machine, sweep

    try:
        job.device = machine.find_device(job.device)
    except machine.UnknownDevice as error:
        send({"trouble": str(error), "exit": 2})
        return
    if job.device.startswith("cuda"):
        torch.cuda.set_device(torch.device(job.device).index or 0)  # events are of the current device
    send({"devices": machine.devices()})
    katas.run(job, send) if job.slug else sweep.Sweep(job, send).run()


if __name__ == "__main__":
    main()
