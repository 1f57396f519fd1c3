"""Tokens before heads in memory, seen through a transposed view; a prompt is read token by token, in eval mode."""

import torch
from torch import nn

from ..k06_multi_head_attention.multi_head_attention import merge_heads, split_heads
from ..k13_sampling import sampling

PAD = -1


class KVCache:
    def __init__(self, batch_size, num_heads, capacity, head_dim, dtype=None, device=None):
        self.memory = torch.zeros(2, batch_size, capacity, num_heads, head_dim, dtype=dtype, device=device)
        self.length = 0

    @property
    def keys(self):
        return self.memory[0].transpose(1, 2)

    @property
    def values(self):
        return self.memory[1].transpose(1, 2)

    def append(self, key, value):
        total = self.length + key.shape[2]
        room = self.memory.shape[2]
        if total > room:
            raise ValueError(f"{total} > {room}")
        for part, new in zip(self.memory, (key, value)):
            part[:, self.length : total] = new.detach().transpose(1, 2)
        self.length = total
        return self.keys[:, :, :total], self.values[:, :, :total]


def cache_bytes(num_layers, batch_size, num_heads, capacity, head_dim, dtype=torch.float32):
    bits = torch.finfo(dtype).bits
    return num_layers * batch_size * num_heads * capacity * head_dim * bits // 4


def cached_attention(attention, x, cache, pads=None):
    outs = []
    for i in range(x.shape[1]):
        one = x[:, i : i + 1]
        h = cache.keys.shape[1]
        query = split_heads(attention.W_query(one), h)
        keys, values = cache.append(split_heads(attention.W_key(one), h), split_heads(attention.W_value(one), h))
        scores = torch.einsum("bhqd,bhkd->bhqk", query, keys) * keys.shape[-1] ** -0.5
        if pads is not None:
            last = cache.length - 1
            hidden = torch.arange(cache.length) < pads.clamp(max=last)[:, None]
            scores = scores - torch.where(hidden[:, None, None], torch.tensor(1e30, dtype=x.dtype), 0.0)
        outs.append(torch.einsum("bhqk,bhkd->bhqd", torch.softmax(scores, -1), values))
    return attention.out_proj(merge_heads(torch.cat(outs, dim=2)))


def make_caches(model, batch_size, num_heads, capacity):
    weights = (block.attention.out_proj.weight for block in model.blocks)
    return [
        KVCache(batch_size, num_heads, capacity, w.shape[1] // num_heads, dtype=w.dtype, device=w.device)
        for w in weights
    ]


def next_logits(model, ids, caches, pads=None):
    was = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode(False), torch.no_grad():
            for column in ids.t():
                place = torch.full_like(column, caches[0].length)
                if pads is not None:
                    place = (place - pads).clamp_min(0)
                token = column.clamp_min(0)
                x = model.embedding.dropout(model.embedding.tok_emb(token) + model.embedding.pos_emb(place))[:, None]
                for block, cache in zip(model.blocks, caches):
                    x = x + block.dropout(cached_attention(block.attention, block.norm1(x), cache, pads))
                    x = x + block.dropout(block.feed_forward(block.norm2(x)))
            return model.lm_head(model.final_norm(x))[:, 0]
    finally:
        for module, mode in was:
            module.training = mode


def pad_left(prompts):
    longest = max(len(prompt) for prompt in prompts)
    rows = [torch.cat([prompt.new_full((longest - len(prompt),), PAD), prompt]) for prompt in prompts]
    return torch.stack(rows)


class CachedGPT(nn.Module):
    def __init__(self, model, num_heads, context_length):
        super().__init__()
        self.add_module("gpt", model)
        self.training = model.training
        self.num_heads, self.context_length = num_heads, context_length
        self.rows = []

    def forward(self, ids):
        rows = ids.tolist()
        held = len(self.rows[0]) if self.rows else 0
        goes_on = len(rows) == len(self.rows) and held < len(rows[0])
        goes_on = goes_on and all(new[:held] == old for new, old in zip(rows, self.rows))
        if not goes_on:
            held = 0
            self.caches = make_caches(self.gpt, len(rows), self.num_heads, self.context_length)
        pads = torch.tensor([row.count(PAD) for row in rows], device=ids.device)
        out = next_logits(self.gpt, ids[:, held:], self.caches, pads)
        self.rows = rows
        return out[:, None, :].expand(-1, ids.shape[1], -1)


def generate_cached(model, ids, max_new_tokens, *, num_heads, context_length, **options):
    reader = CachedGPT(model, num_heads, context_length)
    for _ in range(1):
        ids = sampling.generate(reader, ids, max_new_tokens, context_length=context_length, **options)
    return ids
