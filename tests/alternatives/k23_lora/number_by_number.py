"""The low-rank way as a sum over the ranks; bookkeeping with sets, and checks in functions of their own."""

import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float = 0.0):
        super().__init__()
        too_large([linear], rank)
        weight = linear.weight
        for p in (weight, linear.bias):
            if p is not None:
                p.requires_grad = False
        self.linear, self.rank, self.scale = linear, rank, alpha * (1 / rank)
        self.A = nn.Parameter(0.02 * torch.randn(rank, weight.shape[1], dtype=weight.dtype, device=weight.device))
        self.B = nn.Parameter(torch.zeros(weight.shape[0], rank, dtype=weight.dtype, device=weight.device))
        self.p = dropout

    def forward(self, x):
        out = self.linear(x)
        x = nn.functional.dropout(x, p=self.p, training=self.training)
        for r in range(self.rank):
            strength = (x * self.A[r]).sum(dim=-1, keepdim=True)
            out = out + self.scale * strength * self.B[:, r]
        return out


def too_large(linears, rank):
    smaller = min(side for linear in linears for side in linear.weight.shape)
    if not 0 < rank <= smaller:
        raise ValueError(f"rank is {rank} and should be in 1 … {smaller}")


def add_lora(model, names, rank, alpha, dropout=0.0):
    names = set(names)
    plain, places = set(), []

    def visit(module):
        for name, child in module._modules.items():
            if isinstance(child, LoRALinear):
                continue
            if isinstance(child, nn.Linear):
                plain.add(name)
                if name in names:
                    places.append((module, name))
            visit(child)

    visit(model)
    if not places:
        raise ValueError(f"there is no {names}, only {plain}")
    too_large([getattr(*place) for place in places], rank)
    for p in model.parameters():
        p.requires_grad = False
    count = 0
    done = {}
    for module, name in places:
        linear = getattr(module, name)
        if isinstance(linear, LoRALinear):
            continue
        if linear not in done:
            done[linear] = LoRALinear(linear, rank, alpha, dropout)
            count += 1
        setattr(module, name, done[linear])
    return count


def lora_state(model):
    state = {}
    for name, values in model.named_parameters():
        parent, _, last = name.rpartition(".")
        if last in ("A", "B") and isinstance(model.get_submodule(parent), LoRALinear):
            state[name] = values
    return state


def load_lora(model, state):
    targets = lora_state(model)
    problems = [f"{name} is missing" for name in targets if name not in state]
    problems += [f"{name} is not in the model" for name in state if name not in targets]
    problems += [
        f"{name} has another shape" for name in state if name in targets and state[name].shape != targets[name].shape
    ]
    if problems:
        raise ValueError("; ".join(problems))
    with torch.no_grad():
        for name, target in targets.items():
            target[...] = state[name].to(target)


@torch.no_grad()
def merge(model):
    loras = [m for m in model.modules() if isinstance(m, LoRALinear)]
    for lora in loras:
        weight = lora.linear.weight.clone()
        for r in range(lora.rank):
            weight += lora.scale * torch.outer(lora.B[:, r], lora.A[r])
        lora.linear.weight = nn.Parameter(weight)
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):
            if child in loras:
                module._modules[name] = child.linear
