"""Layers by their paths in sorted order; A is as small as one likes, and merged layers learn again."""

from operator import attrgetter

import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha, dropout=0.0):
        super().__init__()
        if rank < 1 or rank > min(linear.weight.size()):
            raise ValueError(f"rank {rank} of {tuple(linear.weight.size())}")
        self.linear, self.alpha, self.rank = linear, float(alpha), rank
        A = torch.empty(rank, linear.in_features).normal_(0, 1e-3)
        B = torch.zeros(linear.out_features, rank)
        self.A, self.B = (nn.Parameter(p.to(linear.weight)) for p in (A, B))
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        linear.requires_grad_(False)

    @property
    def delta(self):
        return self.B @ self.A * self.alpha / self.rank

    def forward(self, x):
        return self.linear(x) + self.dropout(x) @ self.delta.T


def paths(model, kind):
    every = dict(model.named_modules(remove_duplicate=False))
    return {
        path: module
        for path, module in sorted(every.items())
        if isinstance(module, kind) and not isinstance(every[path.rpartition(".")[0]], LoRALinear)
    }


def put(model, path, module):
    *parents, name = path.split(".")
    parent = attrgetter(".".join(parents))(model) if parents else model
    parent.add_module(name, module)


def add_lora(model, names, rank, alpha, dropout=0.0):
    linears = paths(model, nn.Linear)
    wanted = {path: linear for path, linear in linears.items() if path.split(".")[-1] in names}
    if not wanted:
        raise ValueError(f"I know {', '.join(linears)}")
    if any(rank > n for linear in wanted.values() for n in linear.weight.shape):
        raise ValueError(f"rank {rank} is too much for {[tuple(one.weight.shape) for one in wanted.values()]}")
    for p in model.parameters():
        p.requires_grad_(False)
    unique = set(wanted.values())
    for linear in unique:
        lora = LoRALinear(linear, rank, alpha, dropout)
        for path, other in wanted.items():
            if other is linear:
                put(model, path, lora)
    return len(unique)


def lora_state(model):
    loras = {}
    for path, lora in paths(model, LoRALinear).items():
        if lora not in loras:
            loras[lora] = path
    return {f"{path}.{n}": getattr(lora, n).data for lora, path in loras.items() for n in ("A", "B")}


def load_lora(model, state):
    own = lora_state(model)
    for name in {**own, **state}:
        a, b = own.get(name), state.get(name)
        if a is None or b is None or a.shape != b.shape:
            raise RuntimeError(f"{name} does not fit")
    for name, values in state.items():
        own[name].copy_(values)


def merge(model):
    for path, lora in list(paths(model, LoRALinear).items()):
        put(model, path, lora.linear)
        if hasattr(lora, "merged"):
            continue
        lora.merged = True
        lora.linear.weight = nn.Parameter(lora.linear.weight.data + lora.delta.data)
        lora.linear.requires_grad_(True)
