"""Plain loops: each row is filtered and written by itself, and torch draws by inverting the cumulative sum."""

import math

import torch


def greedy(logits):
    best = []
    for row in logits.tolist():
        best.append(row.index(max(row)))
    return torch.tensor(best, device=logits.device)


def with_temperature(logits, t):
    if t <= 0:
        raise ValueError("the temperature has to be positive")
    largest = logits.max(dim=-1, keepdim=True).values
    return (logits - largest) / t


def top_k(logits, k):
    if k <= 0:
        raise ValueError("k has to be positive")
    result = torch.full_like(logits, -math.inf)
    for b, row in enumerate(logits):
        for place in sorted(range(len(row)), key=lambda i: -row[i].item())[:k]:
            result[b, place] = row[place]
    return result


def top_p(logits, p):
    if p <= 0 or p > 1:
        raise ValueError("p has to be in (0, 1]")
    if p == 1:
        return logits.clone()
    result = torch.full_like(logits, -math.inf)
    for b, row in enumerate(logits):
        total = 0.0
        chances = row.double().softmax(-1).tolist()
        for place in sorted(range(len(row)), key=lambda i: -chances[i]):
            result[b, place] = row[place]
            total += chances[place]
            if total >= p:
                break
    return result


filter_k, filter_p = top_k, top_p


def choose(logits, temperature, k, p, generator):
    if temperature == 0:
        return int(logits.argmax())
    logits = with_temperature(logits[None], temperature)
    if k is not None:
        logits = filter_k(logits, k)
    if p is not None:
        logits = filter_p(logits, p)
    sums = logits[0].double().softmax(-1).cumsum(-1)
    luck = torch.rand(1, generator=generator, dtype=torch.float64) * sums[-1]
    return int(torch.searchsorted(sums, luck, right=True).clamp(max=len(sums) - 1))


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
    if temperature < 0 or (top_k is not None and top_k < 1) or (top_p is not None and not 0 < top_p <= 1):
        raise ValueError("bad options")
    mode = model.training
    model.eval()
    texts = []
    with torch.no_grad():
        for row in ids.tolist():
            done = False
            for _ in range(max_new_tokens):
                if done:
                    row.append(stop_id)
                    continue
                logits = model(torch.tensor([row[-context_length:]]))[0, -1]
                row.append(choose(logits, temperature, top_k, top_p, generator))
                done = stop_id is not None and row[-1] == stop_id
            texts.append(row)
    model.train(mode)
    return torch.tensor(texts)
