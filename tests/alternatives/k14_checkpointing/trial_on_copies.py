"""Everything in one flat dict, written under a random name first; a file is tried on copies of model and optimizer."""

import copy
import io
import os
import tempfile
from pathlib import Path

import torch


class CheckpointError(RuntimeError):
    def __init__(self, path, reason):
        super().__init__(f"checkpoint {os.fspath(path)!r}: {reason}")


def save_checkpoint(path, model, optimizer, step, generator=None):
    path = Path(path)
    buffer = io.BytesIO()
    entries = {"weights": model.state_dict(), "optim": optimizer.state_dict(), "step": int(step)}
    entries["torch_rng"] = torch.random.get_rng_state()
    if generator is not None:
        entries["data_rng"] = generator.get_state()
    torch.save(entries, buffer)
    handle, temporary = tempfile.mkstemp(prefix=path.name, dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getvalue())
        Path(temporary).replace(path)
    except BaseException:
        os.unlink(temporary)
        raise


def load_checkpoint(path, model, optimizer=None, generator=None, map_location="cpu"):
    if not os.path.exists(path):
        raise CheckpointError(path, "not found")
    try:
        entries = torch.load(path, map_location=map_location, weights_only=True)
        weights, optim, step, random = (entries[key] for key in ("weights", "optim", "step", "torch_rng"))
        copy.deepcopy(model).load_state_dict(weights, strict=True)
        if optimizer is not None:
            copy.deepcopy(optimizer).load_state_dict(optim)
            torch.Generator().set_state(random)
        if generator is not None and "data_rng" in entries:
            torch.Generator().set_state(entries["data_rng"])
    except Exception as error:
        raise CheckpointError(path, str(error)) from error
    model.load_state_dict(weights)
    if optimizer is not None:
        optimizer.load_state_dict(optim)
        torch.random.set_rng_state(random)
    if generator is not None and "data_rng" in entries:
        generator.set_state(entries["data_rng"])
    return step
