"""Borders by `kthvalue` and shifted sums; tokens drawn by inverting the summed probabilities."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..k04_self_attention.self_attention import softmax


def greedy(logits: Float[Tensor, "B V"]) -> Int64[Tensor, "B"]:
    """Return the most likely token of every row."""
    return logits.max(-1).indices
    # </solution>


def with_temperature(logits: Float[Tensor, "B V"], t: float) -> Float[Tensor, "B V"]:
    """Return logits whose softmax is sharper for t below 1, flatter for t above 1.

    Raises ValueError, with the number, when t is not above 0.
    """
    if t <= 0:
        raise ValueError(f"a temperature of {t}?")
    return logits * (1 / t)
    # </solution>


def top_k(logits: Float[Tensor, "B V"], k: int) -> Float[Tensor, "B V"]:
    """Keep the k largest logits of every row, and any equal to the k-th; the others become −inf.

    A k above V keeps all. Raises ValueError, with the number, when k is below 1.
    Source: Fan et al. 2018, "Hierarchical Neural Story Generation", section 5.
    """
    if k <= 0:
        raise ValueError(f"k = {k}")
    k = min(k, logits.size(1))
    border = logits.kthvalue(logits.size(1) - k + 1, dim=1, keepdim=True).values
    return torch.where(logits >= border, logits, float("-inf"))
    # </solution>


def top_p(logits: Float[Tensor, "B V"], p: float) -> Float[Tensor, "B V"]:
    """Keep the fewest tokens of every row that reach probability p together; the others become −inf.

    The token that crosses p is kept, so at least one always is; p = 1 keeps all.
    Raises ValueError, with the number, when p is not above 0 and at most 1.
    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1.
    """
    if p <= 0 or p > 1:
        raise ValueError(f"p = {p}")
    if p == 1:
        return logits.clone()
    ordered, order = torch.sort(logits, dim=1, descending=True)
    sums = ordered.softmax(1).cumsum(1)
    drop = sums >= p
    drop = torch.cat([torch.zeros_like(drop[:, :1]), drop[:, :-1]], 1)
    kept = ordered.masked_fill(drop, float("-inf"))
    return torch.empty_like(logits).scatter_(1, order, kept)
    # </solution>


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
    """
    mode = model.training
    model.eval()
    B, T = ids.shape
    out = torch.cat([ids, ids.new_zeros(B, max_new_tokens)], 1)
    going = [True] * B
    try:
        with torch.inference_mode():
            for t in range(T, T + max_new_tokens):
                logits = model(out[:, max(0, t - context_length) : t])[:, -1, :]
                if temperature < 0:
                    raise ValueError(f"temperature = {temperature}")
                if temperature > 0:
                    logits = with_temperature(logits, temperature)
                logits = logits if top_k is None else keep_top_k(logits, top_k)
                logits = logits if top_p is None else keep_top_p(logits, top_p)
                if temperature == 0:
                    new = greedy(logits)
                else:
                    sums = torch.softmax(logits, -1).double().cumsum(-1)
                    u = torch.rand(B, 1, generator=generator, dtype=torch.float64) * sums[:, -1:]
                    new = (sums <= u).sum(-1)
                for b in range(B):
                    out[b, t] = new[b] if going[b] else stop_id
                    if stop_id is not None and int(out[b, t]) == stop_id:
                        going[b] = False
    finally:
        model.train(mode)
    return out
    # </solution>
