"""One batch row and head at a time; backward asks autograd for the derivative of one tile at a time."""

import torch


def tile_scores(query, key, first_query, first_key):
    distance = (first_key - first_query) + torch.arange(key.shape[-2])[None] - torch.arange(query.shape[-2])[:, None]
    products = torch.stack([(query * key[..., c : c + 1, :]).sum(-1) for c in range(key.shape[-2])], dim=-1)
    return (products / query.shape[-1] ** 0.5).masked_fill(distance.to(query.device) > 0, float("-inf"))


def one_head(query, key, value, block):
    rows, sums = [], []
    for i, queries in enumerate(query.split(block)):
        top, total, mix = float("-inf"), 0.0, 0.0
        for j, (keys, values) in enumerate(zip(key.split(block), value.split(block))):
            if j > i:
                break
            scores = tile_scores(queries, keys, i * block, j * block)
            new = scores.detach().max(-1, keepdim=True).values.clamp_min(top)
            shrink = torch.exp(top - new)
            weights = torch.exp(scores - new)
            total, mix, top = total * shrink + weights.sum(-1, True), mix * shrink + weights.mm(values), new
        rows.append(mix / total)
        sums.append((total.log() + top).flatten())
    return torch.cat(rows), torch.cat(sums)


def flash_forward(query, key, value, block):
    context, logsumexp = torch.zeros_like(query), torch.zeros_like(query[..., 0])
    for b in range(query.shape[0]):
        for h in range(query.shape[1]):
            context[b, h], logsumexp[b, h] = one_head(query[b, h], key[b, h], value[b, h], block)
    return context, logsumexp


def flash_backward(grad, query, key, value, context, logsumexp, block):
    d_query, d_key, d_value = torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(value)
    for i in range(0, query.shape[2], block):
        rows = slice(i, i + block)
        shift = (grad[:, :, rows] * context[:, :, rows]).sum(-1, keepdim=True)
        for j in range(0, i + 1, block):
            tile = slice(j, j + block)
            with torch.enable_grad():
                q, k = (x.detach().requires_grad_() for x in (query[:, :, rows], key[:, :, tile]))
                scores = tile_scores(q, k, i, j)
                weights = (scores.detach() - logsumexp[:, :, rows, None]).exp()
                into = weights * (grad[:, :, rows] @ value[:, :, tile].mT - shift)
                of_query, of_key = torch.autograd.grad(scores, (q, k), into)
            d_query[:, :, rows] += of_query
            d_key[:, :, tile] += of_key
            d_value[:, :, tile] += weights.mT @ grad[:, :, rows]
    return d_query, d_key, d_value


class FlashAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, block):
        context, ctx.logsumexp = flash_forward(query, key, value, block)
        ctx.save_for_backward(query, key, value, context)
        ctx.block = block
        return context

    @staticmethod
    def backward(ctx, grad):
        return *flash_backward(grad, *ctx.saved_tensors, ctx.logsumexp, ctx.block), None


def flash_attention(query, key, value, block=64):
    return FlashAttention.apply(query, key, value, block)
