"""Training in several processes, which torchrun starts.

Each takes its share of every batch, and rank 0 alone writes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from ..system.processes import environment, on_signals

RESTARTS = 3  # of all processes, from the last checkpoint, where one is killed
PROGRAM = ["-m", "dojo"]  # what each process runs
WANTED = "DOJO_WANTED"  # the environment variable with what they are to do; torchrun would take options for its own


def is_worker() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def launch(count: int, wanted: str) -> bool:
    """Run `train` in `count` processes, with `wanted` to tell them what, and wait; whether they were asked to stop.

    They share the cores. An interrupt is theirs to answer, and torchrun hands it on.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // count))
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command = [sys.executable, *torchrun, f"--max-restarts={RESTARTS}", *PROGRAM, "train"]
    variables = environment(OMP_NUM_THREADS=threads) | {WANTED: wanted}
    asked: list[int] = []
    stop = on_signals(("SIGINT", "SIGTERM"), lambda number, frame: asked.append(number))
    with stop, subprocess.Popen(command, env=variables) as process:
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
            if asked and asked[-1]:
                process.send_signal(asked[-1])  # one that `kill` sent has come to this process alone
                asked.append(0)
    return bool(asked)


@contextlib.contextmanager
def joined(device: str) -> Iterator[None]:
    """Be one of the processes that torchrun started."""
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    address, rank, size = (os.environ[name] for name in ("MASTER_ADDR", "RANK", "WORLD_SIZE"))
    server = distributed.TCPStore(address, int(os.environ["MASTER_PORT"]), is_master=False)
    attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]  # addresses of processes that were killed are still in the store
    store = distributed.PrefixStore(f"dojo/{attempt}", server)
    backend = "nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, store=store, rank=int(rank), world_size=int(size))
    try:
        yield
    finally:
        distributed.destroy_process_group()


def size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def mean(value: float, device: str) -> float:
    """The mean of a number over all processes."""
    if size() == 1:
        return value
    number = torch.tensor(value, dtype=torch.float32 if device == "mps" else torch.float64, device=device)
    distributed.all_reduce(number)
    return number.item() / size()


def shared(model: torch.nn.Module) -> Any:
    """The model, with gradients that are the mean over all processes."""
    return DistributedDataParallel(model) if size() > 1 else model


def unshared(model: Any, last: bool) -> contextlib.AbstractContextManager[Any]:
    """Where a batch is taken in parts: leave gradients to this process but for the last part."""
    return model.no_sync() if size() > 1 and not last else contextlib.nullcontext()
