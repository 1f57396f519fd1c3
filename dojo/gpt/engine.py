"""On what a run computes: the device, the precision, in how many parts a batch is taken, and what that needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from . import processes
from .model import Parts
from .presets import Preset
from .tokens import Ids

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
KEPT = 16  # numbers a token and layer, in widths of the model, that the backward pass needs


class EngineError(Exception):
    """A device that is not there; the message says what there is."""


@dataclass(frozen=True)
class Engine:
    """The device and the precision of a run, and in how many parts it takes a batch."""

    device: str = "cpu"
    dtype: str = "float32"
    accumulate: int = 1
    workers: int = 1  # processes

    @classmethod
    def choose(cls, device: str, dtype: str, accumulate: int, preset: Preset, workers: int = 1) -> Engine:
        """What was asked for, if it is there. Raises EngineError."""
        there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if device == "auto":
            device = next((name for name in ("cuda", "mps") if there[name]), "cpu")
        if not there[device]:
            have = ", ".join(name for name, is_there in there.items() if is_there)
            raise EngineError(f"torch sees no {device} on this machine. DEVICE is auto, or of: {have}.")
        accumulate = accumulate or preset.accumulate
        if preset.batch_size % (accumulate * workers):
            parts = f"ACCUMULATE={accumulate}" + (f" with PROCESSES={workers}" if workers > 1 else "")
            raise EngineError(f"{parts} does not divide the {preset.batch_size} windows of a batch.")
        return cls(device, dtype, accumulate, workers)

    def put(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model on the device; in bfloat16 its forward pass runs under autocast, and gives float32 all the same."""
        model = model.to(self.device)
        if self.dtype != "float32":
            forward = torch.autocast(self.device, DTYPES[self.dtype])(model.forward)
            model.forward = lambda ids: forward(ids).float()  # type: ignore[method-assign]
        return model

    def move(self, ids: torch.Tensor | Ids) -> Any:
        """Ids on the device."""
        where = torch.device(self.device)
        return ids.on(where) if isinstance(ids, Ids) else ids.to(where)


def train_in_parts(
    parts: Parts,
    count: int,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    data: torch.Tensor,
    *,
    steps: int,
    batch_size: int,
    context_length: int,
    schedule: Callable[[int], float],
    generator: torch.Generator,
    on_step: Callable[[int, float], None],
) -> None:
    """What `train` of k12 does, with each batch in `count` equal parts whose gradients are summed.

    Of several processes each takes its share of the batch first.

    Batches and losses are those of the whole batch, up to rounding, in the memory that a part takes.
    """
    model.train()
    device = str(next(model.parameters()).device)
    whole = processes.shared(model)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule(step)
        x, y = parts["k02"].get_batch(data, batch_size, context_length, generator)  # (B, T) each
        optimizer.zero_grad()
        x, y = (each.chunk(processes.size())[processes.rank()] for each in (x, y))
        total = 0.0
        for number, (inputs, targets) in enumerate(zip(x.chunk(count), y.chunk(count)), start=1):
            with processes.unshared(whole, last=number == count):
                loss = parts["k11"].cross_entropy(whole(inputs), targets) / count
                loss.backward()
            total += loss.item()
        optimizer.step()
        on_step(step, processes.mean(total, device))


def memory(preset: Preset, parameters: int, vocab_size: int, accumulate: int) -> int:
    """About how many bytes training takes: weights, gradients, two moments, and what the backward pass needs."""
    windows, context = preset.batch_size // accumulate, preset.context_length
    kept = KEPT * context * preset.emb_dim + 3 * preset.num_heads * context**2
    return 4 * (4 * parameters + windows * (preset.num_layers * kept + 3 * context * vocab_size))
