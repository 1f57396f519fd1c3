"""LoRA: a pretrained model stays as it is, and beside each chosen layer a thin detour learns what has to change."""

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LoRALinear(nn.Module):
    """A linear layer that is frozen, and beside it a way through `rank` numbers that is trained.

    Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float = 0.0):
        """Keep `linear` itself, frozen, and make the parameters `A` (rank, in) and `B` (out, rank).

        A is random and B is 0; both have the dtype of the weight and are on its device. Raises ValueError, with the
        numbers, when rank is larger than the smaller side of the weight.
        """
        super().__init__()
        # <solution step=1>
        smaller = min(linear.weight.shape)
        if not 1 <= rank <= smaller:
            raise ValueError(f"rank = {rank} is not between 1 and {smaller}, the smaller side of the weight")
        self.linear = linear.requires_grad_(False)
        self.A = nn.Parameter(torch.randn_like(linear.weight[:rank]) * linear.in_features**-0.5)  # (rank, in)
        self.B = nn.Parameter(torch.zeros_like(linear.weight[:, :rank]))  # (out, rank)
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.train(linear.training)
        # </solution>

    def forward(self, x: Float[Tensor, "... in"]) -> Float[Tensor, "... out"]:
        """Return linear(x) + alpha/rank · dropout(x) Aᵀ Bᵀ."""
        # <solution step=1>
        detour = self.dropout(x) @ self.A.T @ self.B.T  # (..., in) → (..., rank) → (..., out)
        return self.linear(x) + self.scale * detour
        # </solution>


def add_lora(model: nn.Module, names: Collection[str], rank: int, alpha: float, dropout: float = 0.0) -> int:
    """Put a `LoRALinear` around every `nn.Linear` of `model` whose last name is in `names`, and freeze all else.

    The last name of `blocks.0.attention.W_query` is `W_query`. Return how many layers were replaced: one that stands in
    several places stays one layer there, and counts once. What a `LoRALinear` holds is not replaced again.

    Raises ValueError when no layer has such a name, with the names that there are, and when rank is not between 1 and
    the smaller side of each weight; then the model is untouched.
    """
    # <solution step=2>
    held = {module.linear for module in model.modules() if isinstance(module, LoRALinear)}
    places = {
        path: module
        for path, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, nn.Linear) and module not in held
    }
    chosen = {path: linear for path, linear in places.items() if path.rpartition(".")[2] in names}
    if not chosen:
        there_are = sorted({path.rpartition(".")[2] for path in places})
        raise ValueError(f"no linear layer is called {' or '.join(names)}; there are {', '.join(there_are)}")
    smaller = min(min(linear.weight.shape) for linear in chosen.values())
    if not 1 <= rank <= smaller:
        raise ValueError(f"rank = {rank} is not between 1 and {smaller}, the smaller side of one of the weights")

    model.requires_grad_(False)
    wrapped = {linear: LoRALinear(linear, rank, alpha, dropout) for linear in dict.fromkeys(chosen.values())}
    for path, linear in chosen.items():
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, wrapped[linear])
    return len(wrapped)
    # </solution>


def lora_state(model: nn.Module) -> dict[str, Tensor]:
    """Return what was trained, and nothing else: each `A` and `B` of `model`, by its name in the model's state dict."""
    # <solution step=3>
    state = {}
    for path, module in model.named_modules():
        if isinstance(module, LoRALinear):
            state[f"{path}.A"] = module.A.detach()
            state[f"{path}.B"] = module.B.detach()
    return state
    # </solution>


def load_lora(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy what `lora_state` returned into a model with the same `LoRALinear`s. Dtypes and devices are the model's.

    Raises ValueError, with the name, when an entry is missing, is too many or has another shape; then the model is
    untouched.
    """
    # <solution step=3>
    own = lora_state(model)
    for name in [*own, *state]:
        if name not in state:
            raise ValueError(f"{name} is missing in the state")
        if name not in own:
            raise ValueError(f"{name} is in the state, and the model has no such parameter")
        if state[name].shape != own[name].shape:
            raise ValueError(f"{name} is {tuple(state[name].shape)} in the state and {tuple(own[name].shape)} here")
    for name, values in own.items():
        values.copy_(state[name])  # `values` shares its memory with the parameter
    # </solution>


def merge(model: nn.Module) -> None:
    """Put a plain `nn.Linear` into the place of every `LoRALinear` of `model`; in eval mode the function stays the same.

    A weight that another layer shares is left as it is: the merged layer gets a weight of its own.
    """
    # <solution step=3>
    merged = {}
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if not isinstance(module, LoRALinear):
            continue
        if module not in merged:
            weight = module.linear.weight + module.scale * module.B @ module.A  # (out, in)
            module.linear.weight = nn.Parameter(weight, requires_grad=False)
            merged[module] = module.linear
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, merged[module])
    # </solution>
