"""Filters by scatter and by a shifted mask; rows that have stopped leave the batch."""

import torch

from ..k04_self_attention.self_attention import softmax


def greedy(logits):
    return torch.topk(logits, 1).indices.squeeze(-1)


def with_temperature(logits, t):
    if t <= 0.0:
        raise ValueError(f"t = {t}")
    return torch.log_softmax(logits / t, dim=-1)


def top_k(logits, k):
    if k < 1:
        raise ValueError(f"k = {k}")
    values, places = torch.topk(logits, min(k, logits.size(-1)), dim=-1)
    return torch.full_like(logits, float("-inf")).scatter(-1, places, values)


def top_p(logits, p):
    if p > 1 or p <= 0:
        raise ValueError(f"p = {p}")
    if p >= 1.0:
        return logits
    values, places = torch.sort(logits, dim=-1, descending=True)
    sums = torch.cumsum(torch.softmax(values, dim=-1), dim=-1)
    remove = sums >= p
    remove[..., 1:] = remove[..., :-1].clone()
    remove[..., 0] = False
    mask = torch.zeros_like(remove).scatter(-1, places, remove)
    out = logits.clone()
    out[mask] = -torch.inf
    return out


apply_top_k = top_k
apply_top_p = top_p


@torch.no_grad()
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
    training, device = model.training, next(model.parameters()).device
    model.eval()
    done = {}
    alive = list(range(ids.size(0)))
    text = ids.clone().to(device)
    for _ in range(max_new_tokens):
        logits = model(text[:, -context_length:])[:, -1]
        if temperature == 0:
            new = greedy(logits)
        else:
            logits = with_temperature(logits, temperature)
            if top_k is not None:
                logits = apply_top_k(logits, top_k)
            if top_p is not None:
                logits = apply_top_p(logits, top_p)
            new = torch.multinomial(softmax(logits), num_samples=1, generator=generator).squeeze(1)
        text = torch.cat((text, new.unsqueeze(1)), dim=1)
        if stop_id is not None:
            stays = new != stop_id
            for row, stay, line in zip(list(alive), stays.tolist(), text):
                if not stay:
                    done[row] = line
                    alive.remove(row)
            text = text[stays]
            if not alive:
                break
    model.train(training)
    length = ids.size(1) + max_new_tokens
    rows = []
    for row in range(ids.size(0)):
        line = done[row] if row in done else text[alive.index(row)]
        rows.append(torch.cat([line, line.new_full((length - len(line),), stop_id or 0)]))
    return torch.stack(rows)
