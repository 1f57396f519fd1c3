"""The machine that a measurement was made on: what it is, and how fast it multiplies and copies, as measured here."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..system.git import Git, UpdateError
from .results import Facts, load
from .rounds import quartiles
from .timing import Clock

SECONDS = 0.6  # each limit is measured for so long
SIDES = {"cpu": 1024, "mps": 4096, "cuda": 8192}  # of the square matrices that are multiplied
COPIED = {"cpu": 128 << 20, "mps": 512 << 20, "cuda": 1 << 30}  # bytes: beyond what caches hold


class UnknownDevice(Exception):
    """There is no such device here; the message says which there are."""


def devices() -> list[str]:
    """The devices of this machine that torch can use, the CPU first."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [kind for kind, usable in there.items() if usable]


def find_device(name: str) -> str:
    """The device called `name`. Raises UnknownDevice."""
    numbered = ["cpu:0", "mps:0", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if name.split(":")[0] in devices() and (":" not in name or name in numbered):
        return name
    raise UnknownDevice(f'There is no device "{name}" here. There is: {", ".join(devices())}.')


def describe(device: str, root: Path) -> Facts:
    """What stands in a results file about machine, versions and code."""
    return {
        "machine": {
            "cpu": cpu_name(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "system": f"{platform.system()} {platform.machine()}",
            "device": device,
            "device_name": device_name(device),
            "load": load(),
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "dojo": __version__},
        **_commit(root),
    }


def cpu_name() -> str:
    """The name of the processor, as its maker gave it where the system tells."""
    name = ""
    with contextlib.suppress(OSError):  # Linux
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1] for line in lines if line.startswith(("model name", "Model"))), "")
    with contextlib.suppress(OSError):  # macOS; elsewhere there is no such name, or no such program
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        name = name or subprocess.run(command, capture_output=True, text=True).stdout
    return name.strip() or platform.processor() or platform.machine()


def device_name(device: str) -> str:
    """The name of a device: the processor's, the GPU's."""
    kind = device.split(":")[0]
    if kind == "cuda":
        return torch.cuda.get_device_name(torch.device(device))
    return cpu_name() if kind == "cpu" else f"{cpu_name()} (GPU)"


def _commit(root: Path) -> Facts:
    """The commit of the code, and whether files differ from it; empty where that cannot be told."""
    git = Git(root)
    try:
        commit = git("rev-parse", "--short=10", "HEAD")
        return {"commit": commit, "changed": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except UpdateError:
        return {"commit": "", "changed": False}


def product_rate(device: str, dtype: torch.dtype) -> float:
    """FLOP/s of a large square matrix product: what this device does at best. Raises what torch does.

    A product of two n × n matrices takes 2n³ operations, a multiplication and an addition for each.
    """
    clock, best = Clock(device), 0.0
    side, largest = 128, SIDES[device.split(":")[0]]
    while True:  # up to the largest that fits: where a type has no hardware of its own, that one would take minutes
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        out = torch.empty(side, side, device=device, dtype=dtype)
        multiply = functools.partial(torch.mm, left, right, out=out)
        multiply()
        once = min(clock.seconds(multiply) for _ in range(2))
        best = max(best, 2 * side**3 / once)
        if side == largest or 8 * once > SECONDS:
            return max(best, 2 * side**3 / _best(multiply, clock))
        side *= 2


def copy_rate(device: str) -> float:
    """Bytes a second that a large copy moves, each counted twice: once when it is read, once when it is written."""
    size = COPIED[device.split(":")[0]]
    source, target = (torch.zeros(size // 4, device=device) for _ in range(2))
    return 2 * size / _best(lambda: target.copy_(source), Clock(device))


def _best(call: Callable[[], Any], clock: Clock) -> float:
    """Seconds of a call that nothing disturbed: the quartile of the fastest of as many as fit in `SECONDS`."""
    clock.seconds(call)
    taken = [clock.seconds(call)]
    while sum(taken) < SECONDS or len(taken) < 5:
        taken.append(clock.seconds(call))
    return quartiles(taken)[0]
