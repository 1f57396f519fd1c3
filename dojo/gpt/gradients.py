"""How several processes take a step together: by torch's own engine, or by what the learner wrote in k21."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from . import processes
from .model import Parts


class Alone:
    """A process without others."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model: Any = model

    def share(self, windows: torch.Tensor) -> torch.Tensor:
        """The windows of a batch that are this process's."""
        return windows

    def unshared(self, last: bool) -> contextlib.AbstractContextManager[Any]:
        """Around a part of the share: where others follow, its gradients are this process's alone."""
        return contextlib.nullcontext()

    def average(self) -> None:
        """Make the gradients, once those of all parts are there, the mean over all processes."""


class Torch(Alone):
    """DistributedDataParallel: it averages while the backward pass still runs."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__(DistributedDataParallel(model))

    def share(self, windows: torch.Tensor) -> torch.Tensor:
        return windows.chunk(processes.size())[processes.rank()]

    def unshared(self, last: bool) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if last else self.model.no_sync()


class Yours(Alone):
    """The learner's own functions of k21, or the reference's where it is not solved."""

    def __init__(self, model: torch.nn.Module, parts: Parts, device: str) -> None:
        super().__init__(model)
        self.k21 = parts["k21"]
        self.group = self.k21.ProcessGroup(device)
        self.k21.broadcast(model, self.group)

    def share(self, windows: torch.Tensor) -> torch.Tensor:
        return self.k21.shard(windows, processes.rank(), processes.size())

    def average(self) -> None:
        self.k21.average_gradients(self.model, self.group)


def together(model: torch.nn.Module, parts: Parts, device: str, parallel: str) -> Alone:
    """How this process takes its steps."""
    if processes.size() == 1:
        return Alone(model)
    return Yours(model, parts, device) if parallel == "yours" else Torch(model)
