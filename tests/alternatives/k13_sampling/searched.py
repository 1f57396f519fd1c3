"""Filters by ranks and by a search in the sorted row; draws by searchsorted in the sums; never ends early."""

import contextlib

import torch
from torch import nn


def greedy(logits):
    best = logits == logits.amax(dim=1, keepdim=True)
    return best.int().argmax(dim=1)


def with_temperature(logits, t):
    if t <= 0:
        raise ValueError(f"no temperature: {t}")
    return logits * (1.0 / t)


def top_k(logits, k):
    if k < 1:
        raise ValueError(f"k is {k}")
    k = min(k, logits.size(1))
    border = logits.sort(dim=1).values[:, -k].unsqueeze(1)  # (B, 1)
    return logits.where(logits >= border, torch.tensor(float("-inf")))


def top_p(logits, p):
    if not 0.0 < p <= 1.0:
        raise ValueError(f"p is {p}")
    if p == 1.0:
        return logits.clone()
    values, places = torch.sort(logits, dim=1, descending=True, stable=True)
    sums = values.double().softmax(dim=1).cumsum(dim=1).contiguous()
    last = torch.searchsorted(
        sums, torch.full((len(logits), 1), p, dtype=sums.dtype)
    )  # V where the sum never gets to p
    rank = torch.arange(logits.size(1)).expand_as(places)
    return logits.masked_fill(torch.zeros_like(places).scatter(1, places, rank) > last, float("-inf"))


functions = {"k": top_k, "p": top_p}


@contextlib.contextmanager
def for_use(model: nn.Module):
    mode = model.training
    try:
        yield model.eval()
    finally:
        model.train(mode)


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
    if temperature < 0:
        raise ValueError(f"no temperature: {temperature}")
    done = torch.full((ids.size(0), 1), False)
    with for_use(model), torch.no_grad():
        while max_new_tokens > 0:
            max_new_tokens -= 1
            logits = model(ids[:, max(0, ids.size(1) - context_length) :])[:, -1]
            logits = logits if temperature == 0 else with_temperature(logits, temperature)
            for name, amount in (("k", top_k), ("p", top_p)):
                logits = logits if amount is None else functions[name](logits, amount)
            if temperature == 0:
                new = greedy(logits)[:, None]
            else:
                sums = logits.double().softmax(dim=1).cumsum(dim=1)
                luck = torch.rand(len(ids), 1, generator=generator, dtype=torch.float64) * sums[:, -1:]
                new = torch.searchsorted(sums, luck, right=True).clamp(max=logits.size(1) - 1)
            if stop_id is not None:
                new = torch.where(done, stop_id, new)
                done = done | (new == stop_id)
            ids = torch.cat((ids, new), dim=1)
    return ids
