"""A temporary file with a name of its own, written by way of a buffer, and renamed."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn


class CheckpointError(Exception):
    """A checkpoint that cannot be loaded; the message names the file and, where there is one, the key."""


def write_atomically(path: str | os.PathLike, state: dict[str, Any]) -> None:
    """Write `state` with `torch.save`; at every moment `path` holds the old file or the new one, whole.

    When writing fails, nothing but the old file is left in the folder.
    """
    path = os.path.abspath(path)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".saving-")
    try:
        with os.fdopen(handle, "wb") as file:
            buffer = io.BytesIO()
            torch.save(state, buffer)
            file.write(buffer.getvalue())
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
    # </solution>


def save_checkpoint(
    path: str | os.PathLike,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    generator: torch.Generator | None = None,
) -> None:
    """Write, atomically, everything a run needs to go on from `step` as if it had never stopped."""
    # <solution step=1>
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "cpu_random": torch.get_rng_state(),  # dropout draws from here
        "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "generator": None if generator is None else generator.get_state(),
    }
    write_atomically(path, state)
    # </solution>


def read_checkpoint(path: str | os.PathLike, map_location: str | torch.device = "cpu") -> Any:
    """Return what the file holds, its tensors on `map_location`; a program hidden in it is refused, not run.

    Raises CheckpointError when the file is missing, empty, cut short or no checkpoint.
    """
    # <solution step=2>
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        reason = "it is empty, cut short, no checkpoint, or holds more than tensors and plain values"
        raise CheckpointError(f"{path}: cannot be read: {reason}") from error
    # </solution>


def check_same(path: str | os.PathLike, name: str, saved: Any, own: Any) -> None:
    """Raise CheckpointError unless `saved` has the keys and the shapes of `own`, however deeply nested.

    `name` says what is compared. An `own` that is no dict, list or tensor asks for nothing.
    """
    # <solution step=3>
    if isinstance(own, list) and isinstance(saved, list):
        own, saved = dict(enumerate(own)), dict(enumerate(saved))
    if isinstance(own, dict) and isinstance(saved, dict):
        for key in own:
            if key not in saved:
                raise CheckpointError(f"{path}: {name}.{key} is missing")
        for key in saved:
            if key not in own:
                raise CheckpointError(f"{path}: {name}.{key} is in the file and has no place here")
            check_same(path, f"{name}.{key}", saved[key], own[key])
    elif isinstance(own, dict | list | torch.Tensor):
        found, needed = (tuple(x.shape) if torch.is_tensor(x) else type(x).__name__ for x in (saved, own))
        if found != needed:
            raise CheckpointError(f"{path}: {name} is {found} in the file and {needed} here")
    # </solution>


def check_fits(
    path: str | os.PathLike,
    state: Any,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    generator: torch.Generator | None = None,
) -> None:
    """Raise CheckpointError, with the file and the key, unless all of `state` can be loaded; change nothing."""
    # <solution step=3>
    keys = ["model", "optimizer", "step", "cpu_random", "cuda_random", "generator"]
    check_same(path, "checkpoint", state, dict.fromkeys(keys) | {"model": model.state_dict()})
    if not isinstance(state["step"], int):
        raise CheckpointError(f"{path}: checkpoint.step should be an int, not {state['step']!r}")
    if optimizer is not None:
        own = optimizer.state_dict() | {"state": None}  # a fresh one has no moments yet to compare with
        check_same(path, "optimizer", state["optimizer"], own)
    trials = {"cpu_random": torch.Generator()}  # random states are tried on generators that nobody uses
    if generator is not None:
        trials["generator"] = torch.Generator(generator.device)
    for key, trial in trials.items():
        try:
            trial.set_state(state[key].cpu())
        except (AttributeError, RuntimeError, TypeError) as error:
            raise CheckpointError(f"{path}: checkpoint.{key} holds no random state for this run") from error
    # </solution>


def load_checkpoint(
    path: str | os.PathLike,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    generator: torch.Generator | None = None,
    map_location: str | torch.device = "cpu",
) -> int:
    """Put everything back where `save_checkpoint` took it from and return the step to go on from.

    Without an optimizer nothing is resumed: only the weights, and the generator if given, are loaded.
    Raises CheckpointError, with model and optimizer untouched, when the file cannot be loaded as a whole.
    """
    # <solution step=2>
    state = read_checkpoint(path, map_location)
    # </solution>
    # <solution step=3>
    check_fits(path, state, model, optimizer, generator)
    # </solution>
    # <solution step=4>
    model.load_state_dict(state["model"])
    if optimizer is not None:
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["cpu_random"].cpu())
        for device, random in enumerate(state["cuda_random"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(random.cpu(), device)
    if generator is not None:
        generator.set_state(state["generator"].cpu())
    return state["step"]
    # </solution>
