"""Everything by functions of torch.nn.functional; layers are found by walking down from parent to child."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha, dropout=0.0):
        super().__init__()
        check_rank(linear, rank)
        self.linear = linear
        for parameter in linear.parameters():
            parameter.requires_grad = False
        like = {"dtype": linear.weight.dtype, "device": linear.weight.device}
        self.A = nn.Parameter(torch.empty(rank, linear.in_features, **like))
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank, **like))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.rank, self.alpha, self.rate = rank, alpha, dropout

    def forward(self, x):
        low = F.linear(F.dropout(x, self.rate, self.training), self.A)
        return self.linear(x) + F.linear(low, self.B) * (self.alpha / self.rank)


def check_rank(linear, rank):
    most = min(linear.in_features, linear.out_features)
    if rank < 1 or rank > most:
        raise ValueError(f"a rank of {rank} does not fit: the smaller side of the layer is {most}")


def walk(parent):
    """Every place (parent, name, child) that holds a linear layer, but those within a LoRALinear."""
    for name, child in parent._modules.items():
        if isinstance(child, nn.Linear):
            yield parent, name, child
        elif child is not None and not isinstance(child, LoRALinear):
            yield from walk(child)


def add_lora(model, names, rank, alpha, dropout=0.0):
    everywhere = list(walk(model))
    places = [place for place in everywhere if place[1] in names]
    if not places:
        raise ValueError(f"none of {list(names)} among {sorted({name for _, name, _ in everywhere})}")
    for _, _, linear in places:
        check_rank(linear, rank)
    for parameter in model.parameters():
        parameter.requires_grad = False
    made = {}
    for parent, name, linear in places:
        if linear not in made:
            made[linear] = LoRALinear(linear, rank, alpha, dropout)
        setattr(parent, name, made[linear])
    return len(made)


def lora_state(model):
    layers = {path: module for path, module in model.named_modules() if isinstance(module, LoRALinear)}
    return {f"{path}.{name}": getattr(layer, name).detach().clone() for path, layer in layers.items() for name in "AB"}


def load_lora(model, state):
    own = lora_state(model)
    missing, extra = own.keys() - state.keys(), state.keys() - own.keys()
    if missing or extra:
        raise ValueError(f"missing: {sorted(missing)}, too many: {sorted(extra)}")
    if wrong := [name for name in own if own[name].shape != state[name].shape]:
        raise ValueError(f"of another shape: {wrong}")
    with torch.no_grad():
        for name, values in state.items():
            path, _, which = name.rpartition(".")
            getattr(model.get_submodule(path), which).copy_(values)


def merge(model):
    done = {}
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, LoRALinear):
            if module not in done:
                old = module.linear
                new = nn.Linear(old.in_features, old.out_features, bias=old.bias is not None).to(old.weight)
                with torch.no_grad():
                    new.weight.copy_(old.weight + module.alpha / module.rank * module.B @ module.A)
                    if old.bias is not None:
                        new.bias.copy_(old.bias)
                done[module] = new
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, done[module])
