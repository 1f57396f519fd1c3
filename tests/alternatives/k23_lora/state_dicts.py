"""Saving and loading go through state_dict; the low-rank way is two linear layers that share A and B."""

import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha, dropout=0.0):
        super().__init__()
        rows, columns = linear.weight.shape
        if rank > min(rows, columns):
            raise ValueError(f"rank {rank} > {min(rows, columns)} of a {rows} x {columns} weight")
        self.linear = linear
        linear.weight.requires_grad_(False)
        if linear.bias is not None:
            linear.bias.requires_grad_(False)
        self.A = nn.Parameter(linear.weight.new_empty(rank, columns).normal_(std=1 / rank))
        self.B = nn.Parameter(linear.weight.new_zeros(rows, rank))
        self.drop = nn.Dropout(dropout)
        self.register_buffer("scaling", torch.tensor(alpha / rank, dtype=torch.float64), persistent=False)

    def forward(self, x):
        low = torch.matmul(self.drop(x), self.A.mT)
        return torch.add(self.linear(x), torch.matmul(low, self.B.mT) * self.scaling.item())


def add_lora(model, names, rank, alpha, dropout=0.0):
    wrapped = {id(module.linear) for module in model.modules() if isinstance(module, LoRALinear)}
    targets, seen = [], set()
    for parent in model.modules():
        for name, child in parent._modules.items():
            if isinstance(child, nn.Linear) and id(child) not in wrapped:
                seen.add(name)
                if name in names:
                    targets.append((parent, name, child))
    if len(targets) == 0:
        raise ValueError("no such layer; the names are " + ", ".join(seen))
    smallest = min((min(child.weight.shape) for _, _, child in targets))
    if rank > smallest:
        raise ValueError(f"rank {rank} > {smallest}")
    replaced = {}
    for parent, name, child in targets:
        if id(child) not in replaced:
            replaced[id(child)] = LoRALinear(child, rank, alpha, dropout)
        parent._modules[name] = replaced[id(child)]
    ours = {id(p) for layer in replaced.values() for p in (layer.A, layer.B)}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in ours)
    return len(replaced)


def _keys(model):
    return [
        prefix + "." + letter
        for prefix, module in model.named_modules()
        if isinstance(module, LoRALinear)
        for letter in ("A", "B")
    ]


def lora_state(model):
    everything = model.state_dict()
    return {key: everything[key] for key in _keys(model)}


def load_lora(model, state):
    everything, keys = model.state_dict(), _keys(model)
    for key in keys:
        if key not in state:
            raise KeyError(f"{key} is missing")
        if state[key].shape != everything[key].shape:
            raise ValueError(f"{key}: {state[key].shape} instead of {everything[key].shape}")
    for key in state:
        if key not in keys:
            raise KeyError(f"{key} is unknown")
    model.load_state_dict(state, strict=False)


def merge(model):
    seen = set()
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, LoRALinear):
                if child not in seen:
                    seen.add(child)
                    with torch.no_grad():
                        new = child.linear.weight + child.scaling.item() * (child.B @ child.A)
                    child.linear.weight = nn.Parameter(new)
                parent._modules[name] = child.linear
