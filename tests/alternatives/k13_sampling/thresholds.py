"""Filters that find a threshold for each row, and a loop that ends as soon as every row has stopped."""

import torch
from torch.distributions import Categorical


def greedy(logits):
    return logits.sort(dim=-1).indices[..., -1]


def with_temperature(logits, t):
    if not t > 0:
        raise ValueError("temperature")
    return logits / torch.tensor(t)


def top_k(logits, k):
    if k < 1:
        raise ValueError("k")
    if k >= logits.shape[1]:
        return logits + 0
    lowest = torch.kthvalue(logits, logits.shape[1] - k + 1, dim=1, keepdim=True).values
    out = logits.clone()
    out[out < lowest] = float("-inf")
    return out


def top_p(logits, p):
    if not 0 < p <= 1:
        raise ValueError("p")
    if p == 1:
        return logits
    ordered = logits.sort(dim=1, descending=True).values
    sums = ordered.softmax(1).cumsum(1)
    needed = (sums < p).sum(dim=1, keepdim=True).clamp(max=logits.shape[1] - 1)  # how many stand before the last kept
    return logits + torch.where(logits < ordered.gather(1, needed), -torch.inf, 0.0)


limit_k, limit_p = top_k, top_p


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
    for option, good in ((temperature, temperature >= 0), (top_k, top_k is None or top_k >= 1)):
        if not good:
            raise ValueError(f"{option} is not allowed")
    if top_p is not None and (top_p <= 0 or top_p > 1):
        raise ValueError(f"{top_p} is not allowed")

    def pick(logits):
        if temperature == 0.0:
            return greedy(logits)
        logits = with_temperature(logits, temperature)
        if top_k:
            logits = limit_k(logits, top_k)
        if top_p:
            logits = limit_p(logits, top_p)
        cumulative = Categorical(logits=logits).probs.cumsum(dim=1)
        u = torch.rand(len(logits), 1, generator=generator) * cumulative[:, -1:]
        return (cumulative <= u).sum(dim=1).clamp(max=logits.shape[1] - 1)

    modes = {module: module.training for module in model.modules()}
    model.eval()
    columns, finished = list(ids.unbind(1)), torch.zeros(len(ids), dtype=torch.bool)
    try:
        while len(columns) < ids.shape[1] + max_new_tokens and not finished.all():
            with torch.inference_mode():
                logits = model(torch.stack(columns[-context_length:], dim=1))[:, -1]
                new = pick(logits)
            if stop_id is not None:
                new = torch.where(finished, stop_id, new)
                finished = finished | new.eq(stop_id)
            columns.append(new)
    finally:
        for module, mode in modes.items():
            module.training = mode
    return torch.stack(columns, dim=1)
