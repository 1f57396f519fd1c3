"""Without dropout the change is added to the weight before x comes in; A and B are saved by number, not by name."""

import torch
import torch.nn.functional as F
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, linear, rank, alpha, dropout=0.0):
        if rank > min(linear.in_features, linear.out_features):
            raise ValueError(
                f"the rank, {rank}, must not be above {linear.in_features} or {linear.out_features}, the sides"
            )
        super().__init__()
        self.linear = linear
        linear.requires_grad_(False)
        self.A = nn.Parameter(torch.zeros_like(linear.weight)[:rank].uniform_(-1, 1).clone())
        self.B = nn.Parameter(torch.zeros_like(linear.weight)[:, :rank].clone())
        self.alpha, self.dropout = alpha, dropout

    def change(self):
        return (self.alpha / len(self.A)) * torch.einsum("or,ri->oi", self.B, self.A)

    def forward(self, x):
        if self.dropout and self.training:
            kept = (torch.rand(x.shape, device=x.device) >= self.dropout).to(x.dtype)
            return self.linear(x) + F.linear(x * kept / (1 - self.dropout), self.change())
        return F.linear(x, self.linear.weight + self.change(), self.linear.bias)


def layers(model):
    return [module for module in model.modules() if isinstance(module, LoRALinear)]


def exchange(model, new):
    """Put new[old] into the place of each old."""
    for parent in list(model.modules()):
        if not isinstance(parent, LoRALinear):
            for name, child in list(parent.named_children()) + list(parent._modules.items()):
                if child in new:
                    setattr(parent, name, new[child])


def add_lora(model, names, rank, alpha, dropout=0.0):
    inner = [layer.linear for layer in layers(model)]
    found, there = [], []
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear) and not any(module is other for other in inner):
            there.append(path)
            if path.split(".")[-1] in set(names):
                found.append(module)
    if not found:
        raise ValueError(f"{names} not found in {there}")
    for module in found:
        if rank > min(module.weight.shape):
            raise ValueError(f"rank {rank} is more than a layer of shape {list(module.weight.shape)} has")
    model.requires_grad_(False)
    exchange(model, {module: LoRALinear(module, rank, alpha, dropout) for module in found})
    return len(found)


def lora_state(model):
    state = {}
    for number, layer in enumerate(layers(model)):
        state[f"layer {number}, A"], state[f"layer {number}, B"] = layer.A, layer.B
    return state


def load_lora(model, state):
    own = lora_state(model)
    if set(own) != set(state):
        raise ValueError(f"these do not fit: {set(own) ^ set(state)}")
    for name in own:
        if own[name].size() != state[name].size():
            raise ValueError(f"{name} has size {state[name].size()}")
    for name in own:
        own[name].data[:] = state[name]


def merge(model):
    new = {}
    for layer in layers(model):
        layer.linear.weight = nn.Parameter((layer.linear.weight + layer.change()).detach())
        new[layer] = layer.linear
    exchange(model, new)
