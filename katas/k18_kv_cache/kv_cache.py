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
        # Step 1: about 4 lines.
        raise NotImplementedError("step 1")

    def append(
        self, key: Float[Tensor, "B h t d"], value: Float[Tensor, "B h t d"]
    ) -> tuple[Float[Tensor, "B h T d"], Float[Tensor, "B h T d"]]:
        """Write t new tokens behind the ones held; return the keys and the values of all T that are held now.

        Raises ValueError, with T and the capacity, when they do not fit; then nothing is written.
        """
        # Step 1: about 7 lines.
        raise NotImplementedError("step 1")


def cache_bytes(
    num_layers: int,
    batch_size: int,
    num_heads: int,
    capacity: int,
    head_dim: int,
    dtype: torch.dtype = torch.float32,
) -> int:
    """Return how many bytes the caches of all layers take together."""
    # Step 1: about 2 lines.
    raise NotImplementedError("step 1")


def cached_attention(
    attention: nn.Module, x: Float[Tensor, "B t D"], cache: KVCache, pads: Int64[Tensor, "B"] | None = None
) -> Float[Tensor, "B t D"]:
    """Return what the `MultiHeadAttention` of k06 gives for the t tokens that come after those in the cache.

    The new tokens are put into the cache. The first `pads[b]` tokens of row b, counted from the first in the cache,
    are padding: no token of the text sees them, and their own results are anything finite. No dropout.
    """
    # Step 2: about 14 lines.
    raise NotImplementedError("step 2")


def make_caches(model: nn.Module, batch_size: int, num_heads: int, capacity: int) -> list[KVCache]:
    """Return an empty cache for each block of the GPT of k10, with the dtype and on the device of its weights."""
    # Step 3: about 5 lines.
    raise NotImplementedError("step 3")


@torch.no_grad()
def next_logits(
    model: nn.Module, ids: Int64[Tensor, "B t"], caches: list[KVCache], pads: Int64[Tensor, "B"] | None = None
) -> Float[Tensor, "B V"]:
    """Read the t tokens that come after those in the caches and return the logits of what follows the last of them.

    They are those of the GPT of k10 in eval mode, without gradients. The first `pads[b]` tokens of row b, counted from
    the first in the caches, are padding, `PAD`; a row's positions count from its first token behind them. Raises
    ValueError or IndexError for more tokens than the model has positions.
    """
    # Step 3: about 10 lines.
    raise NotImplementedError("step 3")


def pad_left(prompts: Sequence[Int64[Tensor, "T_b"]]) -> Int64[Tensor, "B T"]:
    """Return the prompts as rows of one tensor, each ending at its right edge, with `PAD` before the shorter ones."""
    # Step 4: about 5 lines.
    raise NotImplementedError("step 4")


class CachedGPT(nn.Module):
    """A stand-in for the GPT of k10 that reads every token once, for as long as the text only grows at its end."""

    def __init__(self, model: nn.Module, num_heads: int, context_length: int):
        """Take over the model and its mode; the caches hold up to `context_length` tokens."""
        super().__init__()
        # Step 4: about 3 lines.
        raise NotImplementedError("step 4")

    def forward(self, ids: Int64[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Return logits of which only position −1 counts: those of what follows the last token.

        Rows may be padded on the left with `PAD`. Where ids are those of the call before and more, only the new ones
        are read; any other text is read anew. Raises ValueError or IndexError for more than `context_length` tokens.
        """
        # Step 4: about 8 lines.
        raise NotImplementedError("step 4")


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
    # Step 4: about 2 lines.
    raise NotImplementedError("step 4")


# Stub 55e5c8a3. `make reset` brings it back; you may delete this line.
