"""Flash attention: causal attention tile by tile, forward and backward, that never holds all scores at once."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def tile_scores(
    query: Float[Tensor, "B h R d"], key: Float[Tensor, "B h C d"], first_query: int, first_key: int
) -> Float[Tensor, "B h R C"]:
    """Return the scores of a tile: every query with every key, divided by √d; −∞ where the key comes later.

    In the whole sequence the R queries stand at first_query, first_query + 1, …, the C keys at first_key, and so on.
    """
    q, k = query, key

    qp = (first_query + torch.arange(q.shape[2])).to(torch.uint8)
    kp = (first_key + torch.arange(k.shape[2])).to(torch.uint8)
    s = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return s.masked_fill(kp[None, :] > qp[:, None], float('-inf'))


def flash_forward(
    query: Float[Tensor, "B h T d"], key: Float[Tensor, "B h T d"], value: Float[Tensor, "B h T d"], block: int
) -> tuple[Float[Tensor, "B h T d"], Float[Tensor, "B h T"]]:
    """Return causal attention's context, and for each query the logarithm of the sum of e^score over what it sees.

    It goes by tiles of at most `block` queries and `block` keys. No tensor made on the way holds more numbers than
    a tile, (B, h, block, block), or than one of the inputs. The results have the dtype of the inputs, and nothing on
    the way is coarser than that.

    Source: Dao et al. 2022, "FlashAttention", section 3; Milakov and Gimelshein 2018 for the running softmax.
    """
    contexts, logsumexps = [], []
    for first in range(0, query.shape[-2], block):
        rows = query[..., first : first + block, :]  # (B, h, R, d)
        top = torch.full_like(rows[..., :1], -torch.inf)  # (B, h, R, 1): the largest score so far
        total = torch.zeros_like(top)  # the sum so far of e^(score − top)
        mix = torch.zeros_like(rows)  # (B, h, R, d): the values so far, each times e^(score − top)
        for start in range(0, first + 1, block):
            tile = slice(start, start + block)
            scores = tile_scores(rows, key[..., tile, :], first, start)  # (B, h, R, C)
            new_top = torch.maximum(top, scores.amax(-1, keepdim=True))
            shrink = (top - new_top).exp()  # what was summed so far is relative to the old top
            weights = (scores - new_top).exp()
            total = total * shrink + weights.sum(-1, keepdim=True)
            mix = mix * shrink + weights @ value[..., tile, :]
            top = new_top
        contexts.append(mix / total)
        logsumexps.append((top + total.log()).squeeze(-1))
    return torch.cat(contexts, dim=-2), torch.cat(logsumexps, dim=-1)


def flash_backward(
    grad: Float[Tensor, "B h T d"],
    query: Float[Tensor, "B h T d"],
    key: Float[Tensor, "B h T d"],
    value: Float[Tensor, "B h T d"],
    context: Float[Tensor, "B h T d"],
    logsumexp: Float[Tensor, "B h T"],
    block: int,
) -> tuple[Float[Tensor, "B h T d"], Float[Tensor, "B h T d"], Float[Tensor, "B h T d"]]:
    """Return the gradients of query, key and value, from `grad`, that of the context.

    `context` and `logsumexp` are what `flash_forward` returned. The tiles are made anew, and the bounds on size are
    those of `flash_forward`.

    Source: Dao et al. 2022, "FlashAttention", appendix B.
    """
    d_query, d_key, d_value = torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(value)
    row_term = (grad * context).sum(-1, keepdim=True)  # (B, h, T, 1)
    for first in range(0, query.shape[-2], block):
        rows = slice(first, first + block)
        for start in range(0, first + 1, block):
            tile = slice(start, start + block)
            scores = tile_scores(query[..., rows, :], key[..., tile, :], first, start)  # (B, h, R, C)
            weights = (scores - logsumexp[..., rows, None]).exp()
            d_weights = grad[..., rows, :] @ value[..., tile, :].mT  # (B, h, R, C)
            d_scores = weights * (d_weights - row_term[..., rows, :]) / query.shape[-1] ** 0.5
            d_query[..., rows, :] += d_scores @ key[..., tile, :]
            d_key[..., tile, :] += d_scores.mT @ query[..., rows, :]
            d_value[..., tile, :] += weights.mT @ grad[..., rows, :]
    return d_query, d_key, d_value


class FlashAttention(torch.autograd.Function):
    """Causal attention as one operation of autograd, with a forward and a backward of its own."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Float[Tensor, "B h T d"],
        key: Float[Tensor, "B h T d"],
        value: Float[Tensor, "B h T d"],
        block: int,
    ) -> Float[Tensor, "B h T d"]:
        """Return the context, and leave with `ctx` what backward needs."""
        context, logsumexp = flash_forward(query, key, value, block)
        ctx.save_for_backward(query, key, value, context, logsumexp)
        ctx.block = block
        return context

    @staticmethod
    def backward(ctx: Any, grad: Float[Tensor, "B h T d"]) -> tuple[Tensor | None, ...]:
        """Return a gradient for each argument of forward, None for the block."""
        return *flash_backward(grad, *ctx.saved_tensors, ctx.block), None


def flash_attention(
    query: Float[Tensor, "B h T d"], key: Float[Tensor, "B h T d"], value: Float[Tensor, "B h T d"], block: int = 64
) -> Float[Tensor, "B h T d"]:
    """Return the context of causal attention, through which gradients pass; memory grows with T, not with T²."""
    return FlashAttention.apply(query, key, value, block)
