"""Read a text through the Llama of k24 with the cache of k18, so that each new token costs one token's work."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .model import Parts

NOTHING = torch.empty(0, 0, dtype=torch.int64)
LEAST = 128  # tokens for which room is made, and as many to come


class CachedLlama(nn.Module):
    """A stand-in for a Llama that reads every token once, for as long as the text only grows at its end.

    It computes with the layers of k24's blocks, turned by k16, kept by k18; heads are split and merged by k06, and
    the softmax is that of k04.
    """

    def __init__(self, parts: Parts, model: Any, context_length: int) -> None:
        super().__init__()
        self.parts, self.model, self.context_length = parts, model, context_length
        self.training = model.training
        self.seen = NOTHING  # the ids whose keys and values are in the caches
        self.caches: list[Any] = []

    @torch.no_grad()
    def forward(self, ids: Tensor) -> Tensor:
        """Logits, (B, T, V), of which only position −1 counts: those of what follows the last token.

        Where ids are those of the call before and more, only the new ones are read; any other text is read anew.
        """
        held = self._held(ids)
        self.seen = NOTHING  # where reading is interrupted, some layers have kept more than others
        x = self._read(ids[:, held:], held)[:, -1:]
        self.seen = ids.clone()
        logits: Tensor = self.model.lm_head(self.model.final_norm(x))  # (B, 1, V): nobody asks about the others
        return logits.expand(-1, ids.shape[1], -1)

    @torch.no_grad()
    def attention(self, ids: Tensor) -> Tensor:
        """The weights of every layer and head, (layers, B, h, T, T), of each token of a text on each."""
        self.seen = NOTHING
        weights: list[Tensor] = []
        self._read(ids, self._held(ids), weights)
        return torch.stack(weights)

    def _held(self, ids: Tensor) -> int:
        """How many of the tokens are in the caches; where others are, or there is too little room, these are made anew.

        Room is made for twice the text: all that the context allows would take longer to clear than a text to read.
        """
        held, wanted = self.seen.shape[1], ids.shape[1]
        grows = 0 < held < wanted and torch.equal(ids[:, :held], self.seen)
        if grows and wanted <= self.caches[0].keys.shape[2]:
            return held
        config, weight, before = self.model.config, self.model.tok_emb.weight, self.caches
        capacity = min(self.context_length, 2 * max(wanted, LEAST))
        shape = (len(ids), config.num_kv_heads, capacity, config.emb_dim // config.num_heads)
        self.caches = [self.parts["k18"].KVCache(*shape, weight.dtype, weight.device) for _ in self.model.blocks]
        if not grows:
            return 0
        for old, new in zip(before, self.caches):
            new.append(old.keys[:, :, :held], old.values[:, :, :held])
        return held

    def _read(self, ids: Tensor, held: int, weights: list[Tensor] | None = None) -> Tensor:
        """The stream, (B, t, D), behind the last block, of t tokens that come after those in the caches."""
        config, end = self.model.config, held + ids.shape[1]
        columns = torch.arange(end, device=ids.device)  # (T,)
        angles = self.parts["k16"].rotary_angles(columns[held:], config.emb_dim // config.num_heads, config.rope_base)
        turns, hidden = (angles.cos(), angles.sin()), columns > columns[held:, None]  # (t, d/2) each; (t, T)
        x = self.model.tok_emb(ids)  # (B, t, D)
        for block, cache in zip(self.model.blocks, self.caches):
            x = x + self._attend(block.attention, block.norm1(x), cache, turns, hidden, weights)
            x = x + block.feed_forward(block.norm2(x))
        return x

    def _attend(
        self, attention: Any, x: Tensor, cache: Any, turns: tuple[Tensor, Tensor], hidden: Tensor, kept: Any
    ) -> Tensor:
        k06, turn, config = self.parts["k06"], self.parts["k16"].apply_rotary, self.model.config
        shared, t = config.num_kv_heads, x.shape[1]
        query = turn(k06.split_heads(attention.W_query(x), config.num_heads), *turns)  # (B, h, t, d)
        key = turn(k06.split_heads(attention.W_key(x), shared), *turns)  # (B, h_kv, t, d)
        keys, values = cache.append(key, k06.split_heads(attention.W_value(x), shared))  # (B, h_kv, T, d) each
        # The g heads that share a head of keys stand as rows of a single product, so that no key is copied.
        rows = query.unflatten(1, (shared, -1)).flatten(2, 3)  # (B, h_kv, g·t, d)
        scores = rows @ keys.transpose(2, 3) / keys.shape[-1] ** 0.5  # (B, h_kv, g·t, T)
        if t > 1:
            scores = scores.unflatten(2, (-1, t)).masked_fill(hidden, -torch.inf).flatten(2, 3)
        weights = self.parts["k04"].softmax(scores)
        if kept is not None:
            kept.append(weights.unflatten(2, (-1, t)).flatten(1, 2))  # (B, h, t, T)
        context = (weights @ values).unflatten(2, (-1, t)).flatten(1, 2)  # (B, h, t, d)
        out: Tensor = attention.out_proj(k06.merge_heads(context))  # (B, t, D)
        return out
