"""No pickle at all: tensors as safetensors, everything else as JSON in the header of the same file."""

import json
import os
import uuid

import torch
from safetensors.torch import load, save


class CheckpointError(ValueError):
    pass


def save_checkpoint(path, model, optimizer, step, generator=None):
    tensors = {f"model/{name}": value.detach().clone() for name, value in model.state_dict().items()}
    state = optimizer.state_dict()
    plain = {}
    for index, moments in state["state"].items():
        for name, value in moments.items():
            if torch.is_tensor(value):
                tensors[f"optimizer/{index}/{name}"] = value.contiguous()
            else:
                plain[f"{index}/{name}"] = value
    tensors["random"] = torch.get_rng_state()
    if generator is not None:
        tensors["generator"] = generator.get_state()
    facts = {"step": step, "groups": state["param_groups"], "plain": plain}
    data = save(tensors, metadata={"facts": json.dumps(facts)})
    temporary = f"{os.fspath(path)}.{uuid.uuid4().hex}"
    with open(temporary, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file)
    os.rename(temporary, path)


def load_checkpoint(path, model, optimizer=None, generator=None, map_location="cpu"):
    where = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
        length = int.from_bytes(data[:8], "little")
        facts = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["facts"])
        tensors = {name: value.to(map_location) for name, value in load(data).items()}
    except FileNotFoundError:
        raise CheckpointError(f"no checkpoint at {where}") from None
    except Exception as error:
        raise CheckpointError(f"{where} is no checkpoint, or damaged") from error

    mine = model.state_dict()
    theirs = {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
    if different := mine.keys() ^ theirs.keys():
        raise CheckpointError(f"{where}: keys that stand on one side only: {sorted(different)}")
    for name in mine:
        if mine[name].shape != theirs[name].shape:
            raise CheckpointError(f"{where}: {name}: {list(theirs[name].shape)}, not {list(mine[name].shape)}")
        if mine[name].dtype != theirs[name].dtype:
            raise CheckpointError(f"{where}: {name} is {theirs[name].dtype}, not {mine[name].dtype}")
    if optimizer is not None:
        counts = [[len(group["params"]) for group in groups] for groups in (facts["groups"], optimizer.param_groups)]
        if counts[0] != counts[1]:
            raise CheckpointError(f"{where}: groups of {counts[1]} parameters, in the file of {counts[0]}")

    with torch.no_grad():
        for name, value in mine.items():
            value.copy_(theirs[name])
    if optimizer is not None:
        state = {}
        for name, value in tensors.items():
            if name.startswith("optimizer/"):
                _, index, moment = name.split("/")
                state.setdefault(int(index), {})[moment] = value
        for name, value in facts["plain"].items():
            index, moment = name.split("/")
            state.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({"state": state, "param_groups": facts["groups"]})
        torch.set_rng_state(tensors["random"].cpu())
    if generator is not None and "generator" in tensors:
        generator.set_state(tensors["generator"].cpu())
    return facts["step"]
