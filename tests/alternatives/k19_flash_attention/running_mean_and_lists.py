"""A running mean instead of a running sum, and the gradients of keys and values in a list of tiles."""

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
    R, C = query.size(-2), key.size(-2)
    i = torch.arange(first_query, first_query + R, device=query.device)
    j = torch.arange(first_key, first_key + C, device=query.device)
    scores = torch.einsum("bhrd,bhcd->bhrc", query, key).mul(query.size(-1) ** -0.5)
    return torch.where(j[None] <= i[:, None], scores, -torch.inf)
    # </solution>


def flash_forward(
    query: Float[Tensor, "B h T d"], key: Float[Tensor, "B h T d"], value: Float[Tensor, "B h T d"], block: int
) -> tuple[Float[Tensor, "B h T d"], Float[Tensor, "B h T"]]:
    """Return causal attention's context, and for each query the logarithm of the sum of e^score over what it sees.

    It goes by tiles of at most `block` queries and `block` keys. No tensor made on the way holds more numbers than
    a tile, (B, h, block, block), or than one of the inputs. The results have the dtype of the inputs, and nothing on
    the way is coarser than that.

    Source: Dao et al. 2022, "FlashAttention", section 3; Milakov and Gimelshein 2018 for the running softmax.
    """
    B, h, T, d = query.shape
    context, logsumexp = (
        torch.zeros_like(query),
        torch.full((B, h, T), -torch.inf, dtype=query.dtype, device=query.device),
    )
    for i in range(0, T, block):
        for j in range(0, min(i + block, T), block):
            s = tile_scores(query[:, :, i : i + block], key[:, :, j : j + block], i, j)
            old = logsumexp[:, :, i : i + block].clone()
            now = torch.logaddexp(old, torch.logsumexp(s, -1))
            p = torch.exp(s - now[..., None])
            mean = context[:, :, i : i + block]
            context[:, :, i : i + block] = mean * torch.exp(old - now)[..., None] + p @ value[:, :, j : j + block]
            logsumexp[:, :, i : i + block] = now
    return context, logsumexp
    # </solution>


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
    T, d = query.shape[-2:]
    dq, dk, dv = (
        [],
        [torch.zeros_like(key[..., j : j + block, :]) for j in range(0, T, block)],
        [torch.zeros_like(key[..., j : j + block, :]) for j in range(0, T, block)],
    )
    D = torch.einsum("bhtd,bhtd->bht", grad, context)
    for i in range(0, T, block):
        q, g = query[..., i : i + block, :], grad[..., i : i + block, :]
        mine = torch.zeros_like(q)
        for n, j in enumerate(range(0, i + 1, block)):
            k, v = key[..., j : j + block, :], value[..., j : j + block, :]
            p = torch.exp(tile_scores(q, k, i, j) - logsumexp[..., i : i + block].unsqueeze(-1))
            ds = p * (g @ v.transpose(-1, -2) - D[..., i : i + block].unsqueeze(-1)) * d**-0.5
            mine = mine + ds @ k
            dk[n] = dk[n] + ds.transpose(-1, -2) @ q
            dv[n] = dv[n] + p.transpose(-1, -2) @ g
        dq.append(mine)
    return torch.cat(dq, -2), torch.cat(dk, -2), torch.cat(dv, -2)
    # </solution>


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
        # <solution step=4>
        context, logsumexp = flash_forward(query, key, value, block)
        ctx.save_for_backward(query, key, value, context, logsumexp)
        ctx.block = block
        return context
        # </solution>

    @staticmethod
    def backward(ctx: Any, grad: Float[Tensor, "B h T d"]) -> tuple[Tensor | None, ...]:
        """Return a gradient for each argument of forward, None for the block."""
        # <solution step=4>
        return *flash_backward(grad, *ctx.saved_tensors, ctx.block), None
        # </solution>


def flash_attention(
    query: Float[Tensor, "B h T d"], key: Float[Tensor, "B h T d"], value: Float[Tensor, "B h T d"], block: int = 64
) -> Float[Tensor, "B h T d"]:
    """Return the context of causal attention, through which gradients pass; memory grows with T, not with T²."""
    # <solution step=4>
    return FlashAttention.apply(query, key, value, block)
    # </solution>
