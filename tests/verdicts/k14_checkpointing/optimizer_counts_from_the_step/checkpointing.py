"""Checkpointing: stop a run, go on tomorrow, and get the same numbers as if it had never stopped."""

import os
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
    path = Path(path)
    temporary = path.with_name(path.name + ".tmp")  # same folder: within one disk a rename is a single act
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points to it
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_checkpoint(
    path: str | os.PathLike,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    generator: torch.Generator | None = None,
) -> None:
    """Write, atomically, everything a run needs to go on from `step` as if it had never stopped."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "cpu_random": torch.get_rng_state(),  # dropout draws from here
        "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "generator": None if generator is None else generator.get_state(),
    }
    write_atomically(path, state)


def read_checkpoint(path: str | os.PathLike, map_location: str | torch.device = "cpu") -> Any:
    """Return what the file holds, its tensors on `map_location`; a program hidden in it is refused, not run.

    Raises CheckpointError when the file is missing, empty, cut short or no checkpoint.
    """
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        reason = "it is empty, cut short, no checkpoint, or holds more than tensors and plain values"
        raise CheckpointError(f"{path}: cannot be read: {reason}") from error


def check_same(path: str | os.PathLike, name: str, saved: Any, own: Any) -> None:
    """Raise CheckpointError unless `saved` has the keys and the shapes of `own`, however deeply nested.

    `name` says what is compared. An `own` that is no dict, list or tensor asks for nothing.
    """
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


def check_fits(
    path: str | os.PathLike,
    state: Any,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    generator: torch.Generator | None = None,
) -> None:
    """Raise CheckpointError, with the file and the key, unless all of `state` can be loaded; change nothing."""
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
    state = read_checkpoint(path, map_location)
    check_fits(path, state, model, optimizer, generator)
    model.load_state_dict(state["model"])
    if optimizer is not None:
        optimizer.load_state_dict(state["optimizer"])
        for s in optimizer.state.values():
            if "step" in s:
                s["step"].fill_(state["step"])
        torch.set_rng_state(state["cpu_random"].cpu())
    if generator is not None:
        generator.set_state(state["generator"].cpu())
    return state["step"]
