"""Draws by adding Gumbel noise and taking the largest; filters by ranks; the text is written into one tensor."""

import torch
import torch.nn.functional as F


def greedy(logits):
    return F.softmax(logits, dim=1).max(dim=1).indices


def with_temperature(logits, t):
    if t > 0:
        return logits.mul(1 / t)
    raise ValueError(t)


def top_k(logits, k):
    if k < 1:
        raise ValueError(f"{k=}")
    rank = logits.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return torch.where(rank < k, logits, float("-inf"))


def top_p(logits, p):
    if not (0.0 < p <= 1.0):
        raise ValueError(f"{p=}")
    chances = F.softmax(logits, dim=1, dtype=torch.float64)
    # What is likelier than a token, summed: a comparison of every token with every other.
    likelier = chances[:, None, :] > chances[:, :, None]  # (B, V, V)
    ahead = (chances[:, None, :] * likelier).sum(dim=2)
    return torch.where((ahead < p) | (p == 1), logits, float("-inf"))


_top_k, _top_p = top_k, top_p


@torch.inference_mode()
def generate(
    model,
    ids,
    max_new_tokens,
    *,
    context_length,
    temperature=1.0,
    top_k=None,
    top_p=None,
    stop_id=None,
    generator=None,
):
    rows, width = ids.shape
    text = torch.full((rows, width + max_new_tokens), -1 if stop_id is None else stop_id)
    text[:, :width] = ids
    running = torch.ones(rows, dtype=torch.bool)
    before = model.training
    model.train(False)
    for end in range(width, width + max_new_tokens):
        start = max(0, end - context_length)
        logits = model(text[:, start:end])[:, -1, :]
        if top_k is not None and top_k < 1:
            raise ValueError("top_k")
        if temperature == 0:
            new = greedy(logits)
        else:
            logits = with_temperature(logits, temperature)
            logits = logits if top_k is None else _top_k(logits, top_k)
            logits = logits if top_p is None else _top_p(logits, top_p)
            exponential = torch.empty(logits.shape, dtype=torch.float64).exponential_(generator=generator)
            new = (logits.double() - exponential.log()).argmax(dim=1)
        text[running, end] = new[running]
        if stop_id is not None:
            running &= new != stop_id
    model.train(before)
    return text
