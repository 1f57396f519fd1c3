"""Copies tensor by tensor after comparing names as sets; a NamedTemporaryFile; makes folders that are missing."""

import contextlib
import pathlib
import tempfile

import torch


class CheckpointError(Exception):
    """What is wrong with which file."""


KEYS = {"format", "parameters", "buffers", "optimizer", "step", "rng"}


def save_checkpoint(path, model, optimizer, step, generator=None):
    path = pathlib.Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": 1,
        "parameters": {name: p.data for name, p in model.named_parameters()},
        "buffers": {name: b for name, b in model.named_buffers()},
        "optimizer": optimizer.state_dict(),
        "step": torch.tensor(step),
        "rng": {"torch": torch.get_rng_state(), "given": generator.get_state() if generator is not None else None},
    }
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            torch.save(content, file)
        except Exception:
            pathlib.Path(file.name).unlink()
            raise
    pathlib.Path(file.name).rename(path)


@contextlib.contextmanager
def blamed_on(path):
    try:
        yield
    except CheckpointError:
        raise
    except (Exception, OSError) as error:
        raise CheckpointError(f"cannot load {path} ({error})") from None


def load_checkpoint(path, model, optimizer=None, generator=None, map_location="cpu"):
    with blamed_on(path):
        with open(path, "rb") as file:
            content = torch.load(file, map_location=map_location)  # weights only, as is the default
        if not isinstance(content, dict) or set(content) != KEYS:
            raise CheckpointError(f"{path} is no checkpoint")
        saved = content["parameters"] | content["buffers"]
        own = dict(model.named_parameters()) | dict(model.named_buffers())
        missing, extra = own.keys() - saved.keys(), saved.keys() - own.keys()
        if missing or extra:
            raise CheckpointError(f"{path}: missing {sorted(missing)}, not known {sorted(extra)}")
        for name in own:
            if own[name].shape != saved[name].shape or own[name].dtype != saved[name].dtype:
                raise CheckpointError(f"{path}: {name} has another shape or dtype")
        if optimizer is not None:
            optimizer.load_state_dict(content["optimizer"])  # checks before it changes anything
            torch.set_rng_state(content["rng"]["torch"].cpu())
        if generator is not None and content["rng"]["given"] is not None:
            generator.set_state(content["rng"]["given"].cpu())
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(saved[name])
    return content["step"].item()
