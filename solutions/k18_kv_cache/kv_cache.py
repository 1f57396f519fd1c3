"""KV cache: keep the keys and values of what was read, so that each new token costs one token's work."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..k04_self_attention.self_attention import softmax
from ..k06_multi_head_attention.multi_head_attention import merge_heads, split_heads
from ..k13_sampling.sampling import generate

PAD = -1  # fills the left of a prompt that is shorter than the longest of its batch; no token has this id


class KVCache:
    """The keys and values of one attention layer, in memory that is reserved at once."""

    def __init__(
        self,
        batch_size: int,
        num_heads: int,
        capacity: int,
        head_dim: int,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        """Make `keys` and `values`, (B, h, capacity, d) each, and `length`, how many tokens they hold: none yet.

        Without a dtype it is torch's default dtype.
        """
        # <solution step=1>
        shape = (batch_size, num_heads, capacity, head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.length = 0
        # </solution>

    def append(
        self, key: Float[Tensor, "B h t d"], value: Float[Tensor, "B h t d"]
    ) -> tuple[Float[Tensor, "B h T d"], Float[Tensor, "B h T d"]]:
        """Write t new tokens behind the ones held; return the keys and the values of all T that are held now.

        Raises ValueError, with T and the capacity, when they do not fit; then nothing is written.
        """
        # <solution step=1>
        end, capacity = self.length + key.shape[2], self.keys.shape[2]
        if end > capacity:
            raise ValueError(f"{end} tokens do not fit into a cache of {capacity}")
        self.keys[:, :, self.length : end] = key
        self.values[:, :, self.length : end] = value
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]  # (B, h, T, d) each
        # </solution>


def cache_bytes(
    num_layers: int,
    batch_size: int,
    num_heads: int,
    capacity: int,
    head_dim: int,
    dtype: torch.dtype = torch.float32,
) -> int:
    """Return how many bytes the caches of all layers take together."""
    # <solution step=1>
    numbers = 2 * num_layers * batch_size * num_heads * capacity * head_dim  # a key and a value
    return numbers * dtype.itemsize
    # </solution>


def cached_attention(
    attention: nn.Module, x: Float[Tensor, "B t D"], cache: KVCache, pads: Int64[Tensor, "B"] | None = None
) -> Float[Tensor, "B t D"]:
    """Return what the `MultiHeadAttention` of k06 gives for the t tokens that come after those in the cache.

    The new tokens are put into the cache. The first `pads[b]` tokens of row b, counted from the first in the cache,
    are padding: no token of the text sees them, and their own results are anything finite. No dropout.
    """
    # <solution step=2>
    num_heads = cache.keys.shape[1]
    query = split_heads(attention.W_query(x), num_heads)  # (B, h, t, d)
    key = split_heads(attention.W_key(x), num_heads)  # (B, h, t, d)
    value = split_heads(attention.W_value(x), num_heads)  # (B, h, t, d)
    keys, values = cache.append(key, value)  # (B, h, T, d) each
    columns = torch.arange(cache.length, device=x.device)  # (T,)
    rows = columns[cache.length - x.shape[1] :, None]  # (t, 1): where the new tokens stand
    hidden = columns > rows  # (t, T)
    if pads is not None:
        padding = columns < pads[:, None, None, None]  # (B, 1, 1, T)
        hidden = hidden | padding & (columns != rows)  # (B, 1, t, T); even padding sees itself, or its row is NaN
    scores = query @ keys.transpose(2, 3) / keys.shape[-1] ** 0.5  # (B, h, t, T)
    weights = softmax(scores.masked_fill(hidden, -torch.inf))
    return attention.out_proj(merge_heads(weights @ values))  # (B, t, D)
    # </solution>


def make_caches(model: nn.Module, batch_size: int, num_heads: int, capacity: int) -> list[KVCache]:
    """Return an empty cache for each block of the GPT of k10, with the dtype and on the device of its weights."""
    # <solution step=3>
    weights = [block.attention.W_key.weight for block in model.blocks]  # (h·d, D) each
    return [
        KVCache(batch_size, num_heads, capacity, weight.shape[0] // num_heads, weight.dtype, weight.device)
        for weight in weights
    ]
    # </solution>


@torch.no_grad()
def next_logits(
    model: nn.Module, ids: Int64[Tensor, "B t"], caches: list[KVCache], pads: Int64[Tensor, "B"] | None = None
) -> Float[Tensor, "B V"]:
    """Read the t tokens that come after those in the caches and return the logits of what follows the last of them.

    They are those of the GPT of k10 in eval mode, without gradients. The first `pads[b]` tokens of row b, counted from
    the first in the caches, are padding, `PAD`; a row's positions count from its first token behind them. Raises
    ValueError or IndexError for more tokens than the model has positions.
    """
    # <solution step=3>
    held, t = caches[0].length, ids.shape[1]
    positions = torch.arange(held, held + t, device=ids.device)  # (t,)
    if pads is not None:
        positions = (positions - pads[:, None]).clamp(min=0)  # (B, t)
    embedding = model.embedding
    x = embedding.tok_emb(ids.clamp(min=0)) + embedding.pos_emb(positions)  # (B, t, D); padding: any token will do
    for block, cache in zip(model.blocks, caches):
        x = x + cached_attention(block.attention, block.norm1(x), cache, pads)
        x = x + block.feed_forward(block.norm2(x))
    return model.lm_head(model.final_norm(x[:, -1]))  # (B, V): nobody asks about the other positions
    # </solution>


def pad_left(prompts: Sequence[Int64[Tensor, "T_b"]]) -> Int64[Tensor, "B T"]:
    """Return the prompts as rows of one tensor, each ending at its right edge, with `PAD` before the shorter ones."""
    # <solution step=4>
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), PAD)  # (B, T)
    for row, prompt in zip(ids, prompts):
        row[longest - len(prompt) :] = prompt
    return ids
    # </solution>


class CachedGPT(nn.Module):
    """A stand-in for the GPT of k10 that reads every token once, for as long as the text only grows at its end."""

    def __init__(self, model: nn.Module, num_heads: int, context_length: int):
        """Take over the model and its mode; the caches hold up to `context_length` tokens."""
        super().__init__()
        # <solution step=4>
        self.model, self.num_heads, self.context_length = model, num_heads, context_length
        self.training = model.training
        self.seen = torch.empty(0, 0, dtype=torch.int64)  # the ids whose keys and values are in the caches
        # </solution>

    def forward(self, ids: Int64[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Return logits of which only position −1 counts: those of what follows the last token.

        Rows may be padded on the left with `PAD`. Where ids are those of the call before and more, only the new ones
        are read; any other text is read anew. Raises ValueError or IndexError for more than `context_length` tokens.
        """
        # <solution step=4>
        (B, T), held = ids.shape, self.seen.shape[1]
        if held == 0 or held >= T or not torch.equal(ids[:, :held], self.seen):
            self.caches = make_caches(self.model, B, self.num_heads, self.context_length)
            held = 0
        pads = (ids == PAD).sum(dim=1)  # (B,)
        logits = next_logits(self.model, ids[:, held:], self.caches, pads if pads.any() else None)
        self.seen = ids.clone()
        return logits[:, None].expand(-1, T, -1)  # (B, T, V), without taking memory for it
        # </solution>


def generate_cached(
    model: nn.Module,
    ids: Int64[Tensor, "B T"],
    max_new_tokens: int,
    *,
    num_heads: int,
    context_length: int,
    **options: Any,
) -> Int64[Tensor, "B T_out"]:
    """Return what `generate` of k13 returns for the model, with the same options, in less time.

    Prompts may be padded on the left with `PAD`: each row is then continued as if it stood alone. A text that has
    outgrown the context length is read anew for each token, from the first that still fits in, since every position
    has moved.
    """
    # <solution step=4>
    reader = CachedGPT(model, num_heads, context_length)
    return generate(reader, ids, max_new_tokens, context_length=context_length, **options)
    # </solution>
