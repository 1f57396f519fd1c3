"""Attention a row at a time, each over its own tokens only; a loop of its own for writing, on k13's parts."""

import math

import torch
from torch import nn

from ..k13_sampling.sampling import greedy, top_k, top_p, with_temperature

PAD = -1
keep_top_k, keep_top_p = top_k, top_p


class KVCache:
    def __init__(self, batch_size, num_heads, capacity, head_dim, dtype=None, device=None):
        dtype = dtype or torch.get_default_dtype()
        memory = torch.empty(2, batch_size, num_heads, capacity, head_dim, dtype=dtype, device=device)
        self.keys, self.values = memory[0], memory[1]
        self.capacity = capacity
        self.length = 0

    def append(self, key, value):
        start, stop = self.length, self.length + key.size(-2)
        if stop > self.capacity:
            raise ValueError(f"capacity {self.capacity}, but there would be {stop} tokens")
        self.keys.narrow(2, start, stop - start).copy_(key)
        self.values.narrow(2, start, stop - start).copy_(value)
        self.length = stop
        return self.keys.narrow(2, 0, stop), self.values.narrow(2, 0, stop)


def cache_bytes(num_layers, batch_size, num_heads, capacity, head_dim, dtype=torch.float32):
    one = torch.empty((), dtype=dtype).element_size()
    return math.prod((2, num_layers, batch_size, num_heads, capacity, head_dim, one))


def cached_attention(attention, x, cache, pads=None):
    B, t, D = x.shape
    h = cache.keys.size(1)
    q, k, v = (
        layer(x).view(B, t, h, D // h).permute(0, 2, 1, 3)
        for layer in (attention.W_query, attention.W_key, attention.W_value)
    )
    keys, values = cache.append(k, v)
    held = cache.length - t
    out = torch.zeros_like(q)
    for b in range(B):
        first = 0 if pads is None else int(pads[b])
        for i in range(t):
            if held + i < first:
                continue
            scores = q[b, :, i : i + 1] @ keys[b, :, first : held + i + 1].mT / math.sqrt(D // h)
            out[b, :, i : i + 1] = torch.softmax(scores, dim=-1) @ values[b, :, first : held + i + 1]
    return attention.out_proj(out.transpose(1, 2).reshape(B, t, D))


def make_caches(model, batch_size, num_heads, capacity):
    caches = []
    for block in model.blocks:
        weight = block.attention.W_value.weight
        caches.append(
            KVCache(batch_size, num_heads, capacity, weight.size(0) // num_heads, weight.dtype, weight.device)
        )
    return caches


def next_logits(model, ids, caches, pads=None):
    with torch.no_grad():
        start = caches[0].length
        steps = torch.arange(start, start + ids.shape[1])[None].expand(len(ids), -1)
        if pads is not None:
            steps = torch.maximum(steps - pads.unsqueeze(1), torch.zeros_like(steps))
        tokens = torch.where(ids == PAD, torch.zeros_like(ids), ids)
        stream = model.embedding.tok_emb.weight[tokens] + model.embedding.pos_emb.weight[steps]
        for i, block in enumerate(model.blocks):
            stream = stream + cached_attention(block.attention, block.norm1(stream), caches[i], pads)
            stream = stream + block.feed_forward(block.norm2(stream))
        return model.lm_head(model.final_norm(stream))[:, -1]


def pad_left(prompts):
    longest = max(map(len, prompts))
    return torch.tensor([[PAD] * (longest - len(prompt)) + prompt.tolist() for prompt in prompts])


class CachedGPT(nn.Module):
    def __init__(self, model, num_heads, context_length):
        super().__init__()
        self.model = model
        self.sizes = num_heads, context_length
        self.read = None
        self.train(model.training)

    def forward(self, ids):
        old = self.read
        grows = old is not None and len(old) == len(ids) and old.shape[1] < ids.shape[1]
        if not grows or not bool((ids[:, : old.shape[1]] == old).all()):
            self.caches = make_caches(self.model, len(ids), *self.sizes)
            old = ids[:, :0]
        result = next_logits(self.model, ids[:, old.shape[1] :], self.caches, ids.eq(PAD).sum(1))
        self.read = ids.clone()
        others = result.new_zeros(*ids.shape, result.shape[-1])[:, 1:]
        return torch.cat([others, result.unsqueeze(1)], dim=1)


def generate_cached(
    model,
    ids,
    max_new_tokens,
    *,
    num_heads,
    context_length,
    temperature=1.0,
    top_k=None,
    top_p=None,
    stop_id=None,
    generator=None,
):
    reader = CachedGPT(model, num_heads, context_length)
    done = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(max_new_tokens):
        logits = reader(ids[:, -context_length:])[:, -1]
        if temperature:
            logits = with_temperature(logits, temperature)
        if top_k is not None:
            logits = keep_top_k(logits, top_k)
        if top_p is not None:
            logits = keep_top_p(logits, top_p)
        new = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0] if temperature else greedy(logits)
        if stop_id is not None:
            new = torch.where(done, torch.full_like(new, stop_id), new)
            done |= new == stop_id
        ids = torch.cat((ids, new[:, None]), dim=1)
    return ids
