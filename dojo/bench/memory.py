"""How much memory a call takes, and how much it moves: counted from what torch's allocator hands out.

On the CPU torch's profiler keeps a record of every allocation; CUDA's allocator counts by itself. Both are exact and
the same in every run, which the size of a process is not. What libraries take beside the allocator is not in it. MPS
counts no peak, so there nothing is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """`peak`: the most bytes held at a time beyond what stood before the call. `allocated`: all that were handed out.

    What a call moves between processor and memory is at least: what it was given, read once, and what it allocated,
    written once and read once. That is `moved`, the divisor of its arithmetic intensity. What stays in a cache moves
    less, and what is read again moves more.
    """

    peak: int
    allocated: int
    given: int

    @property
    def moved(self) -> int:
        return self.given + 2 * self.allocated


def measure(call: Callable[[], Any], device: str, given: Iterable[Tensor]) -> Memory | None:
    """What one call takes, given these tensors (input and weights); None where the device does not tell."""
    size = sum(tensor.numel() * tensor.element_size() for tensor in given)
    kind = device.split(":")[0]
    if kind == "cpu":
        return Memory(*_profiled(call), size)
    return Memory(*_counted_by_cuda(call, torch.device(device)), size) if kind == "cuda" else None


def _profiled(call: Callable[[], Any]) -> tuple[int, int]:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        call()
    events = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = allocated = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()  # negative where memory is given back
        peak, allocated = max(peak, held), allocated + max(0, event.nbytes())
    return peak, allocated


def _counted_by_cuda(call: Callable[[], Any], device: torch.device) -> tuple[int, int]:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_stats(device)
    call()
    torch.cuda.synchronize(device)
    after = torch.cuda.memory_stats(device)
    peak = after["allocated_bytes.all.peak"] - before["allocated_bytes.all.current"]
    return peak, after["allocated_bytes.all.allocated"] - before["allocated_bytes.all.allocated"]
