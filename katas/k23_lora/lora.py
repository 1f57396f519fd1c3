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
        # Step 1: about 9 lines.
        raise NotImplementedError("step 1")

    def forward(self, x: Float[Tensor, "... in"]) -> Float[Tensor, "... out"]:
        """Return linear(x) + alpha/rank · dropout(x) Aᵀ Bᵀ."""
        # Step 1: about 2 lines.
        raise NotImplementedError("step 1")


def add_lora(model: nn.Module, names: Collection[str], rank: int, alpha: float, dropout: float = 0.0) -> int:
    """Put a `LoRALinear` around every `nn.Linear` of `model` whose last name is in `names`, and freeze all else.

    The last name of `blocks.0.attention.W_query` is `W_query`. Return how many layers were replaced: one that stands in
    several places stays one layer there, and counts once. What a `LoRALinear` holds is not replaced again.

    Raises ValueError when no layer has such a name, with the names that there are, and when rank is not between 1 and
    the smaller side of each weight; then the model is untouched.
    """
    # Step 2: about 19 lines.
    raise NotImplementedError("step 2")


def lora_state(model: nn.Module) -> dict[str, Tensor]:
    """Return what was trained, and nothing else: each `A` and `B` of `model`, by its name in the model's state dict."""
    # Step 3: about 6 lines.
    raise NotImplementedError("step 3")


def load_lora(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy what `lora_state` returned into a model with the same `LoRALinear`s. Dtypes and devices are the model's.

    Raises ValueError, with the name, when an entry is missing, is too many or has another shape; then the model is
    untouched.
    """
    # Step 3: about 10 lines.
    raise NotImplementedError("step 3")


def merge(model: nn.Module) -> None:
    """Put a plain `nn.Linear` into the place of every `LoRALinear` of `model`; in eval mode the function stays the same.

    A weight that another layer shares is left as it is: the merged layer gets a weight of its own.
    """
    # Step 3: about 10 lines.
    raise NotImplementedError("step 3")


# Stub 3f99c7a2. `make reset` brings it back; you may delete this line.
