"""Races of k14: how fast a checkpoint is written and read, and what it costs to be sure of it."""

import os
import tempfile
from pathlib import Path

import torch
from torch import nn

from dojo.bench.timing import Race, Racer
from dojo.bench.workloads import agrees

WIDTH, LAYERS = 512, 4


def races(kata, reference):
    """Saving and loading a model with its optimizer, in a folder beside those of training runs."""
    model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, WIDTH)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 1}
    Path("runs").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="runs") as folder:
        path = Path(folder) / "saved.pt"
        torch.save(state, path)
        megabytes = path.stat().st_size / 1e6
        savers = {"atomic": reference.write_atomically, "no fsync": _renamed, "torch.save": _plain}
        if kata is not None:
            savers["yours"] = kata.write_atomically
        racers = [_saver(name, save, Path(folder) / f"{name}.pt", state) for name, save in savers.items()]
        yield Race(f"saving {megabytes:.0f} MB", racers, work=megabytes, unit="MB")
        reference.save_checkpoint(path, model, optimizer, 1)
        loaders = {"load_checkpoint": reference.load_checkpoint, "torch.load, no checks": _unchecked}
        if kata is not None:
            loaders["yours"] = kata.load_checkpoint
        racers = [_loader(name, load, path, model, optimizer) for name, load in loaders.items()]
        yield Race(f"loading {megabytes:.0f} MB", racers, work=megabytes, unit="MB")


def _plain(path, state):
    torch.save(state, path)


def _renamed(path, state):
    """The new file takes the old one's place in one act, but nobody waits until it is on the disk."""
    temporary = path.with_name("no fsync.tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def _unchecked(path, model, optimizer):
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]


def _numbers(state):
    """All that was learned, in one tensor: the weights and the optimizer's two moments of each."""
    moments = [one[name] for one in state["optimizer"]["state"].values() for name in ("exp_avg", "exp_avg_sq")]
    return torch.cat([values.flatten() for values in [*state["model"].values(), *moments]])


def _saver(name, save, path, state):
    def prove():
        save(path, state)
        agrees(lambda: _numbers(torch.load(path, weights_only=True)), _numbers(state), "what it has written", 0.0)

    return Racer(name, lambda: save(path, state), prove=prove)


def _loader(name, load, path, model, optimizer):
    def prove():
        want = _numbers({"model": model.state_dict(), "optimizer": optimizer.state_dict()}).clone()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        optimizer.state.clear()
        agrees(lambda: load(path, model, optimizer), 1, "the step")
        found = _numbers({"model": model.state_dict(), "optimizer": optimizer.state_dict()})
        agrees(lambda: found, want, "what it has loaded", 0.0)

    return Racer(name, lambda: load(path, model, optimizer), prove=prove)
