"""Sampling: from the logits of the next token to the text a model writes."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..k04_self_attention.self_attention import softmax


def greedy(logits: Float[Tensor, "B V"]) -> Int64[Tensor, "B"]:
    """Return the most likely token of every row."""
    # Step 1: about 1 line.
    raise NotImplementedError("step 1")


def with_temperature(logits: Float[Tensor, "B V"], t: float) -> Float[Tensor, "B V"]:
    """Return logits whose softmax is sharper for t below 1, flatter for t above 1.

    Raises ValueError, with the number, when t is not above 0.
    """
    # Step 1: about 3 lines.
    raise NotImplementedError("step 1")


def top_k(logits: Float[Tensor, "B V"], k: int) -> Float[Tensor, "B V"]:
    """Keep the k largest logits of every row, and any equal to the k-th; the others become −inf.

    A k above V keeps all. Raises ValueError, with the number, when k is below 1.
    Source: Fan et al. 2018, "Hierarchical Neural Story Generation", section 5.
    """
    # Step 2: about 4 lines.
    raise NotImplementedError("step 2")


def top_p(logits: Float[Tensor, "B V"], p: float) -> Float[Tensor, "B V"]:
    """Keep the fewest tokens of every row that reach probability p together; the others become −inf.

    The token that crosses p is kept, so at least one always is; p = 1 keeps all.
    Raises ValueError, with the number, when p is not above 0 and at most 1.
    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1.
    """
    # Step 3: about 9 lines.
    raise NotImplementedError("step 3")


# Inside `generate` the names `top_k` and `top_p` are its arguments; there, call the functions by these names.
keep_top_k = top_k
keep_top_p = top_p


def generate(
    model: nn.Module,
    ids: Int64[Tensor, "B T"],
    max_new_tokens: int,
    *,
    context_length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_id: int | None = None,
    generator: torch.Generator | None = None,
) -> Int64[Tensor, "B T_out"]:
    """Return every prompt with up to `max_new_tokens` tokens drawn after it, one at a time.

    Temperature comes first, then top-k, then top-p; temperature 0 takes the most likely token. A row that has
    drawn `stop_id` gets only `stop_id` from then on. The model runs in eval mode; its own mode comes back.
    Raises ValueError for a temperature below 0, and for a k or a p that the filters refuse.
    """
    # Step 4: about 26 lines.
    raise NotImplementedError("step 4")


# Stub 2e3f4189. `make reset` brings it back; you may delete this line.
