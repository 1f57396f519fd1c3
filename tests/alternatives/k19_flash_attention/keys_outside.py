"""The outer loop goes over the keys, as in the paper's first version, and the running numbers of all queries stay."""

import math

import torch


def tile_scores(query, key, first_query, first_key):
    scores = torch.einsum("bhqd,bhkd->bhqk", query, key).div(math.sqrt(query.size(-1)))
    ahead = first_key - first_query
    visible = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril(-ahead)
    return torch.where(visible, scores, float("-inf"))


def flash_forward(query, key, value, block):
    tokens = query.size(-2)
    starts = list(range(0, tokens, block))
    top = query.new_full(query.shape[:-1], float("-inf"))
    total = query.new_zeros(query.shape[:-1])
    context = query.new_zeros(query.shape)
    for j in starts:
        keys, values = key.narrow(-2, j, min(block, tokens - j)), value.narrow(-2, j, min(block, tokens - j))
        for i in starts:
            if i < j:
                continue
            rows = slice(i, min(i + block, tokens))
            scores = tile_scores(query[:, :, rows], keys, i, j)
            highest = torch.max(top[:, :, rows], scores.max(dim=-1).values)
            weights = torch.exp(scores - highest.unsqueeze(-1))
            old = total[:, :, rows] * torch.exp(top[:, :, rows] - highest)
            new = old + weights.sum(-1)
            context[:, :, rows] = (context[:, :, rows] * old[..., None] + weights @ values) / new[..., None]
            total[:, :, rows], top[:, :, rows] = new, highest
    return context, top + torch.log(total)


def flash_backward(grad, query, key, value, context, logsumexp, block):
    tokens, scale = query.size(-2), 1 / math.sqrt(query.size(-1))
    d_query, d_keys, d_values = torch.zeros_like(query), [], []
    for j in range(0, tokens, block):
        keys, values = key[:, :, j : j + block], value[:, :, j : j + block]
        d_key, d_value = torch.zeros_like(keys), torch.zeros_like(values)
        for i in range(j, tokens, block):
            rows = slice(i, i + block)
            weights = torch.exp(tile_scores(query[:, :, rows], keys, i, j) - logsumexp[:, :, rows, None])
            d_value = d_value + weights.transpose(-1, -2) @ grad[:, :, rows]
            apart = grad[:, :, rows] @ values.transpose(-1, -2)
            apart = apart - torch.einsum("bhqd,bhqd->bhq", grad[:, :, rows], context[:, :, rows]).unsqueeze(-1)
            d_scores = weights * apart * scale
            d_query[:, :, rows] += d_scores @ keys
            d_key = d_key + torch.einsum("bhqk,bhqd->bhkd", d_scores, query[:, :, rows])
        d_keys.append(d_key)
        d_values.append(d_value)
    return d_query, torch.cat(d_keys, 2), torch.cat(d_values, 2)


class FlashAttention(torch.autograd.Function):
    @staticmethod
    def forward(query, key, value, block):
        return flash_forward(query, key, value, block)

    @staticmethod
    def setup_context(ctx, inputs, output):
        *saved, ctx.block = inputs
        context, logsumexp = output
        ctx.mark_non_differentiable(logsumexp)
        ctx.save_for_backward(*saved, context, logsumexp)

    @staticmethod
    def backward(ctx, grad, _):
        return (*flash_backward(grad, *ctx.saved_tensors, ctx.block), None)


def flash_attention(query, key, value, block=64):
    context, _ = FlashAttention.apply(query, key, value, block)
    return context
