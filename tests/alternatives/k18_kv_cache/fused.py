"""The fused attention with a mask of what is visible; the stand-in keeps the common beginning of two texts."""

import torch
import torch.nn.functional as F
from torch import nn

from ..k13_sampling.sampling import generate

PAD = -1


class KVCache:
    def __init__(self, batch_size, num_heads, capacity, head_dim, dtype=None, device=None):
        self.keys, self.values = (
            torch.zeros(batch_size, num_heads, capacity, head_dim, dtype=dtype, device=device) for _ in range(2)
        )
        self.length = 0

    def append(self, key, value):
        places = torch.arange(self.length, self.length + key.shape[2], device=self.keys.device)
        if len(places) and int(places[-1]) >= self.keys.shape[2]:
            raise ValueError(f"no room for {int(places[-1]) + 1} tokens in {self.keys.shape[2]}")
        self.keys.index_copy_(2, places, key)
        self.values.index_copy_(2, places, value)
        self.length += len(places)
        return [self.keys[:, :, : self.length], self.values[:, :, : self.length]]


def cache_bytes(num_layers, batch_size, num_heads, capacity, head_dim, dtype=torch.float32):
    one = KVCache(batch_size, num_heads, capacity, head_dim, dtype, "meta")
    return num_layers * (one.keys.nbytes + one.values.nbytes)


def cached_attention(attention, x, cache, pads=None):
    h = cache.keys.shape[1]
    query, key, value = (
        layer(x).unflatten(-1, (h, -1)).transpose(1, 2)
        for layer in (attention.W_query, attention.W_key, attention.W_value)
    )
    keys, values = cache.append(key, value)
    T, t = keys.shape[2], x.shape[1]
    visible = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()[T - t :]
    if pads is not None:
        real = torch.arange(T, device=x.device) >= pads[:, None]
        visible = visible & real[:, None, :] | torch.eye(T, dtype=torch.bool, device=x.device)[T - t :]
        visible = visible[:, None]
    context = F.scaled_dot_product_attention(query, keys, values, attn_mask=visible)
    return attention.out_proj(context.transpose(1, 2).flatten(2))


def make_caches(model, batch_size, num_heads, capacity):
    weight = model.embedding.tok_emb.weight
    width = weight.shape[1] // num_heads
    return [KVCache(batch_size, num_heads, capacity, width, weight.dtype, weight.device) for _ in model.blocks]


@torch.no_grad()
def next_logits(model, ids, caches, pads=None):
    start, end = caches[0].length, caches[0].length + ids.shape[1]
    columns = torch.arange(start, end, device=ids.device).unsqueeze(0)
    places = columns if pads is None else F.relu(columns - pads.unsqueeze(1))
    x = model.embedding.tok_emb(ids.masked_fill(ids == PAD, 3)) + model.embedding.pos_emb(places)
    for block, cache in zip(model.blocks, caches, strict=True):
        x = x + cached_attention(block.attention, block.norm1(x), cache, pads)
        x = x + block.feed_forward(block.norm2(x))
    return F.linear(model.final_norm(x[:, -1:]), model.lm_head.weight).squeeze(1)


def pad_left(prompts):
    turned = nn.utils.rnn.pad_sequence([prompt.flip(0) for prompt in prompts], batch_first=True, padding_value=PAD)
    return turned.flip(1)


class CachedGPT(nn.Module):
    def __init__(self, model, num_heads, context_length):
        super().__init__()
        self.inner, self.num_heads, self.context_length = model, num_heads, context_length
        self.training = model.training
        self.held, self.caches = None, None

    def forward(self, ids):
        B, T = ids.shape
        keep = 0
        if self.held is not None and len(self.held) == B:
            common = min(self.held.shape[1], T - 1)
            alike = (self.held[:, :common] == ids[:, :common]).all(dim=0).int()
            keep = int(alike.cumprod(0).sum())
            pads = (ids == PAD).sum(dim=1)
            if not torch.equal(pads, (self.held == PAD).sum(dim=1)):
                keep = 0
        if keep == 0:
            self.caches = make_caches(self.inner, B, self.num_heads, self.context_length)
        for cache in self.caches:
            cache.length = keep
        self.held = ids.clone()
        logits = next_logits(self.inner, ids[:, keep:], self.caches, (ids == PAD).sum(dim=1))
        return logits.unsqueeze(1).repeat(1, T, 1)


def generate_cached(model, ids, max_new_tokens, *, num_heads, context_length, **options):
    return generate(
        CachedGPT(model, num_heads, context_length), ids, max_new_tokens, context_length=context_length, **options
    )
