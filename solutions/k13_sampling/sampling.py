"""Sampling: from the logits of the next token to the text a model writes."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..k04_self_attention.self_attention import softmax


def greedy(logits: Float[Tensor, "B V"]) -> Int64[Tensor, "B"]:
    """Return the most likely token of every row."""
    # <solution step=1>
    return logits.argmax(dim=-1)
    # </solution>


def with_temperature(logits: Float[Tensor, "B V"], t: float) -> Float[Tensor, "B V"]:
    """Return logits whose softmax is sharper for t below 1, flatter for t above 1.

    Raises ValueError, with the number, when t is not above 0.
    """
    # <solution step=1>
    if not t > 0:
        raise ValueError(f"temperature must be above 0, not {t}")
    return logits / t
    # </solution>


def top_k(logits: Float[Tensor, "B V"], k: int) -> Float[Tensor, "B V"]:
    """Keep the k largest logits of every row, and any equal to the k-th; the others become −inf.

    A k above V keeps all. Raises ValueError, with the number, when k is below 1.
    Source: Fan et al. 2018, "Hierarchical Neural Story Generation", section 5.
    """
    # <solution step=2>
    if k < 1:
        raise ValueError(f"top_k must keep at least 1 token, not {k}")
    kept = logits.topk(min(k, logits.shape[-1])).values  # (B, k), largest first
    return logits.masked_fill(logits < kept[:, -1:], -torch.inf)  # (B, V) against (B, 1)
    # </solution>


def top_p(logits: Float[Tensor, "B V"], p: float) -> Float[Tensor, "B V"]:
    """Keep the fewest tokens of every row that reach probability p together; the others become −inf.

    The token that crosses p is kept, so at least one always is; p = 1 keeps all.
    Raises ValueError, with the number, when p is not above 0 and at most 1.
    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1.
    """
    # <solution step=3>
    if not 0 < p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {p}")
    if p == 1:
        return logits  # rounding must not cost the last token its place
    ordered, order = logits.sort(dim=-1, descending=True)
    probabilities = softmax(ordered)
    before = probabilities.cumsum(dim=-1) - probabilities  # what the tokens in front already hold
    dropped = before >= p
    return logits.masked_fill(dropped.gather(-1, order.argsort(dim=-1)), -torch.inf)  # in the old order again
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
    Raises ValueError for a temperature below 0, and for a k or a p that the filters refuse.
    """
    # <solution step=4>
    was_training = model.training
    model.eval()
    stopped = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)  # (B,)
    try:
        for _ in range(max_new_tokens):
            with torch.no_grad():
                logits = model(ids[:, -context_length:])[:, -1]  # (B, T, V), then (B, V)
            if temperature != 0:
                logits = with_temperature(logits, temperature)
            if top_k is not None:
                logits = keep_top_k(logits, top_k)
            if top_p is not None:
                logits = keep_top_p(logits, top_p)
            if temperature == 0:
                next_ids = greedy(logits)  # (B,)
            else:
                next_ids = torch.multinomial(softmax(logits), 1, generator=generator)[:, 0]
            if stop_id is not None:
                next_ids = next_ids.masked_fill(stopped, stop_id)
                stopped = stopped | (next_ids == stop_id)
            ids = torch.cat([ids, next_ids[:, None]], dim=1)  # one token longer
            if stopped.all():
                break
    finally:
        model.train(was_training)
    return ids
    # </solution>
