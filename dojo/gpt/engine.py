"""On what a run computes: the device, the precision, in how many parts a batch is taken, and what that needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from . import processes
from .gradients import Alone
from .model import Parts
from .presets import Preset
from .tokens import Ids

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}
PARALLEL = ("torch", "yours")
# Numbers that a step holds at its peak: a token and layer, in widths of the model; a head and pair of tokens; a score.
KEPT, KEPT_OF_PAIRS, KEPT_OF_SCORES = 56, 2, 10
OF_TORCH = 75_000_000  # bytes that torch takes with the first steps


class EngineError(Exception):
    """A device that is not there; the message says what there is."""


@dataclass(frozen=True)
class Engine:
    """The device and the precision of a run, and in how many parts it takes a batch."""

    device: str = "cpu"
    dtype: str = "float32"
    accumulate: int = 1
    workers: int = 1  # processes, on all machines together
    compiled: bool = False
    parallel: str = "torch"  # whose gradients of several processes: torch's, or the learner's

    @classmethod
    def choose(cls, device: str, dtype: str, accumulate: int, preset: Preset, workers: int = 1) -> Engine:
        """What was asked for, if it is there. Raises EngineError."""
        there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if device == "auto":
            device = next((name for name in ("cuda", "mps") if there[name]), "cpu")
        if not there[device]:
            have = ", ".join(name for name, is_there in there.items() if is_there)
            raise EngineError(f"torch sees no {device} on this machine. DEVICE is auto, or of: {have}.")
        if (device, dtype) == ("mps", "float64"):
            raise EngineError("There is no float64 on mps.")
        accumulate = accumulate or preset.accumulate
        if preset.batch_size % (accumulate * workers):
            parts = f"ACCUMULATE={accumulate}" + (f" with PROCESSES={workers}" if workers > 1 else "")
            raise EngineError(f"{parts} does not divide the {preset.batch_size} windows of a batch.")
        return cls(device, dtype, accumulate, workers)

    def put(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model on the device; in bfloat16 its forward pass runs under autocast, and gives float32 all the same."""
        model = model.to(self.device, torch.float64 if self.dtype == "float64" else torch.float32)
        if self.dtype == "bfloat16":
            forward = torch.autocast(self.device, DTYPES[self.dtype])(model.forward)
            model.forward = lambda ids: forward(ids).float()  # type: ignore[method-assign]
        return model

    def compile(self, model: torch.nn.Module) -> Any:
        """What computes the steps of a model: itself, or what torch's compiler makes of it, with the same weights."""
        return torch.compile(model) if self.compiled else model

    def move(self, ids: torch.Tensor | Ids) -> Any:
        """Ids on the device."""
        where = torch.device(self.device)
        return ids.on(where) if isinstance(ids, Ids) else ids.to(where)


def why_not_compiled(device: str) -> str:
    """Why torch cannot compile here, in a line; nothing where it can."""
    try:
        torch.compile(lambda x: x + 1)(torch.ones(8, device=device))
    except Exception as error:  # no compiler, or one that does not do: torch raises of many kinds
        return str(error).strip().split("\n")[0] or type(error).__name__
    return ""


def train_in_parts(
    parts: Parts,
    count: int,
    group: Alone,
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
    for step in range(steps):
        for weights in optimizer.param_groups:
            weights["lr"] = schedule(step)
        x, y = parts["k02"].get_batch(data, batch_size, context_length, generator)  # (B, T) each
        optimizer.zero_grad()
        x, y = map(group.share, (x, y))
        total = 0.0
        for number, (inputs, targets) in enumerate(zip(x.chunk(count), y.chunk(count)), start=1):
            with group.unshared(last=number == count):
                loss = parts["k11"].cross_entropy(group.model(inputs), targets) / count
                loss.backward()
            total += loss.item()
        group.average()
        optimizer.step()
        on_step(step, processes.mean(total, device))


def memory(preset: Preset, parameters: int, trained: int, vocab_size: int, engine: Engine) -> int:
    """About how many bytes each process takes to train, of which `trained` of all parameters are trained.

    The weights; gradients and two moments of what is trained; what the backward pass needs; and what torch takes for
    itself. Measured on a CPU (resident memory, seven sizes, the katas' own parts) it was 0.7 to 1.2 times the peak.
    """
    windows, context = preset.batch_size // (engine.accumulate * engine.workers), preset.context_length
    layers = preset.num_layers * (KEPT * context * preset.emb_dim + KEPT_OF_PAIRS * preset.num_heads * context**2)
    numbers = parameters + 3 * trained + windows * (layers + KEPT_OF_SCORES * context * vocab_size)
    return OF_TORCH + (8 if engine.dtype == "float64" else 4) * numbers
