"""The sequence is filled up to whole tiles and cut into (B·h, tiles, block, d)."""

import torch
from torch.nn.functional import pad


def tile_scores(query, key, first_query, first_key):
    R, C = query.shape[-2], key.shape[-2]
    scores = torch.matmul(query, key.mT) * (1.0 / query.shape[-1] ** 0.5)
    for r in range(R):
        seen = min(max(first_query + r + 1 - first_key, 0), C)
        scores[..., r, seen:] = -torch.inf
    return scores


def cut(x, block):
    B, h, T, d = x.shape
    return pad(x, (0, 0, 0, -T % block)).reshape(B * h, -1, block, d)


def flash_forward(query, key, value, block):
    B, h, T, d = query.shape
    block = min(block, T)
    queries, keys, values = (cut(one, block) for one in (query, key, value))
    count, contexts, logsumexps = queries.shape[1], [], []
    for i in range(count):
        top = queries.new_full((B * h, block, 1), torch.finfo(query.dtype).min)
        sums = queries.new_zeros(B * h, block, d + 1)  # the last column sums the weights alone
        for j in range(i + 1):
            scores = tile_scores(queries[:, i], keys[:, j], i * block, j * block)
            higher = torch.maximum(top, scores.amax(-1, keepdim=True))
            ones = torch.ones_like(values[:, j, :, :1])
            sums = sums * (top - higher).exp() + (scores - higher).exp() @ torch.cat([values[:, j], ones], -1)
            top = higher
        contexts.append(sums[..., :d] / sums[..., d:])
        logsumexps.append(top[..., 0] + sums[..., d].log())
    context = torch.stack(contexts, 1).reshape(B, h, -1, d)[:, :, :T]
    return context, torch.stack(logsumexps, 1).reshape(B, h, -1)[:, :, :T]


def flash_backward(grad, query, key, value, context, logsumexp, block):
    B, h, T, d = query.shape
    block = min(block, T)
    queries, keys, values, grads = (cut(one, block) for one in (query, key, value, grad))
    terms = cut((grad * context).sum(-1, keepdim=True), block)
    sums = cut(logsumexp[..., None], block)
    results = [torch.zeros_like(queries) for _ in range(3)]
    for i in range(queries.shape[1]):
        for j in range(i + 1):
            scores = tile_scores(queries[:, i], keys[:, j], i * block, j * block)
            weights = (scores - sums[:, i]).exp()
            errors = weights * (torch.bmm(grads[:, i], values[:, j].mT) - terms[:, i]) / d**0.5
            for result, at, part in zip(
                results, (i, j, j), (errors @ keys[:, j], errors.mT @ queries[:, i], weights.mT @ grads[:, i])
            ):
                result[:, at] += part
    return tuple(result.reshape(B, h, -1, d)[:, :, :T] for result in results)


class FlashAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, block):
        ctx.block = block
        context, logsumexp = flash_forward(query, key, value, block)
        ctx.save_for_backward(query, key, value, context, logsumexp)
        return context

    @staticmethod
    def backward(ctx, grad):
        d_query, d_key, d_value = flash_backward(grad, *ctx.saved_tensors, ctx.block)
        return d_query, d_key, d_value, None


def flash_attention(query, key, value, block=64):
    return FlashAttention.apply(query, key, value, block)
