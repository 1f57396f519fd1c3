"""Each tile is finished by itself, with a softmax and a logsumexp of its own; two are joined by their weights."""

import torch


def tile_scores(query, key, first_query, first_key):
    rows = torch.arange(first_query, first_query + query.shape[-2]).to(query.device)
    columns = torch.arange(first_key, first_key + key.shape[-2]).to(query.device)
    hidden = torch.zeros(len(rows), len(columns), dtype=query.dtype, device=query.device)
    hidden[rows[:, None] < columns[None, :]] = -torch.inf
    return (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1) + hidden


def tiles(tokens, block):
    for first in range(0, tokens, block):
        yield slice(first, first + block), [slice(j, j + block) for j in range(0, min(first + block, tokens), block)]


def flash_forward(query, key, value, block):
    context = torch.empty_like(value)
    logsumexp = torch.empty(query.shape[:-1], dtype=query.dtype, device=query.device)
    for rows, columns in tiles(query.shape[-2], block):
        mixed, known = None, None
        for tile in reversed(columns):  # from the diagonal back, so that every row of the first tile sees something
            scores = tile_scores(query[..., rows, :], key[..., tile, :], rows.start, tile.start)
            here, part = torch.logsumexp(scores, -1, keepdim=True), torch.softmax(scores, -1) @ value[..., tile, :]
            if known is None:
                mixed, known = part, here
            else:
                both = torch.logaddexp(known, here)
                mixed = mixed * torch.exp(known - both) + part * torch.exp(here - both)
                known = both
        context[..., rows, :], logsumexp[..., rows] = mixed, known[..., 0]
    return context, logsumexp


def flash_backward(grad, query, key, value, context, logsumexp, block):
    gradients = [torch.zeros_like(one) for one in (query, key, value)]
    for rows, columns in tiles(query.shape[-2], block):
        term = torch.linalg.vecdot(grad[..., rows, :], context[..., rows, :]).unsqueeze(-1)
        for tile in columns:
            scores = tile_scores(query[..., rows, :], key[..., tile, :], rows.start, tile.start)
            weights = torch.exp(scores - logsumexp[..., rows].unsqueeze(-1))
            errors = weights * (torch.matmul(grad[..., rows, :], value[..., tile, :].mT) - term)
            errors = errors * query.shape[-1] ** -0.5
            gradients[0][..., rows, :].add_(errors @ key[..., tile, :])
            gradients[1][..., tile, :].add_(errors.mT @ query[..., rows, :])
            gradients[2][..., tile, :].add_(weights.mT @ grad[..., rows, :])
    return tuple(gradients)


class FlashAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, block):
        context, logsumexp = flash_forward(query, key, value, block)
        ctx.save_for_backward(query, key, value, context, logsumexp)
        ctx.block = block
        return context

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        query, key, value, context, logsumexp = ctx.saved_tensors
        found = flash_backward(grad.contiguous(), query, key, value, context, logsumexp, ctx.block)
        return tuple(one if needed else None for one, needed in zip((*found, None), ctx.needs_input_grad))


def flash_attention(query, key, value, block=64):
    return FlashAttention.apply(query.contiguous(), key.contiguous(), value.contiguous(), block)
