"""Loads first and puts everything back on any error; saves in torch's old format and keeps the last file as .bak."""

import copy
import os
import shutil

import torch


class CheckpointError(Exception):
    pass


def save_checkpoint(path, model, optimizer, step, generator=None):
    name = os.path.abspath(path)
    parts = [
        {key: value.detach().cpu().clone() for key, value in model.state_dict().items()},
        copy.deepcopy(optimizer.state_dict()),
        step,
        torch.default_generator.get_state().tolist(),
        generator.get_state() if generator else None,
    ]
    torch.save(parts, name + ".new", _use_new_zipfile_serialization=False)
    if os.path.exists(name):
        shutil.copyfile(name, name + ".bak")
    shutil.move(name + ".new", name)


def load_checkpoint(path, model, optimizer=None, generator=None, map_location="cpu"):
    old_model = copy.deepcopy(model.state_dict())
    old_optimizer = copy.deepcopy(optimizer.state_dict()) if optimizer else None
    try:
        weights, moments, step, random, batches = torch.load(path, map_location=map_location, weights_only=True)
        if generator is not None and batches is None:
            raise ValueError("no generator was saved")
        if any(model.state_dict()[key].shape != value.shape for key, value in weights.items() if key in old_model):
            wrong = [key for key, value in weights.items() if key in old_model and old_model[key].shape != value.shape]
            raise ValueError(f"wrong shapes: {wrong}")
        model.load_state_dict(weights)
        if optimizer:
            optimizer.load_state_dict(moments)
        torch.default_generator.set_state(torch.tensor(random, dtype=torch.uint8))
        if generator is not None:
            generator.set_state(batches)
        return step
    except Exception as error:
        model.load_state_dict(old_model)
        if optimizer:
            optimizer.load_state_dict(old_optimizer)
        raise CheckpointError(f"{path}: {type(error).__name__}: {error}") from error
