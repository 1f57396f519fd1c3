"""On earlier katas as far as they go: k16's attention with its projections repeated, k09's way of a block."""

from typing import NamedTuple

import torch
from torch import nn

from ..k05_causal_attention.causal_attention import causal_mask, masked_softmax
from ..k06_multi_head_attention.multi_head_attention import merge_heads, split_heads
from ..k16_rotary_positions.rotary_positions import apply_rotary, rotary_angles


class LlamaConfig(NamedTuple):
    vocab_size: int
    context_length: int
    emb_dim: int
    num_heads: int
    num_kv_heads: int
    num_layers: int
    hidden_dim: int
    rope_base: float = 10000.0
    eps: float = 1e-5
    tie_weights: bool = True


class RMSNorm(torch.nn.Module):
    def __init__(self, emb_dim, eps):
        torch.nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.ones(emb_dim))
        self.eps = eps

    def forward(self, x):
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        return (self.weight * wide * torch.rsqrt(wide.square().mean(-1, True) + self.eps)).type_as(x)


class SwiGLU(nn.Module):
    def __init__(self, emb_dim, hidden_dim):
        super().__init__()
        layers = {"gate": (emb_dim, hidden_dim), "up": (emb_dim, hidden_dim), "down": (hidden_dim, emb_dim)}
        for name, ends in layers.items():
            self.add_module(name, nn.Linear(*ends, bias=False))

    def forward(self, x):
        return self.down(nn.functional.silu(self.gate(x)) * self.up(x))


class GroupedQueryAttention(nn.Module):
    def __init__(self, emb_dim, num_heads, num_kv_heads, rope_base):
        super().__init__()
        self.num_heads, self.head_dim, self.rope_base = num_heads, emb_dim // num_heads, rope_base
        self.sharing = num_heads // num_kv_heads
        self.W_query = nn.Linear(emb_dim, emb_dim, bias=False)
        self.W_key = nn.Linear(emb_dim, emb_dim // self.sharing, bias=False)
        self.W_value = nn.Linear(emb_dim, emb_dim // self.sharing, bias=False)
        self.out_proj = nn.Linear(emb_dim, emb_dim, bias=False)

    def repeated(self, weight):
        """The rows of each head of keys or values once for each head of queries that shares them."""
        heads = weight.unflatten(0, (-1, self.head_dim))
        return torch.stack([head for head in heads for _ in range(self.sharing)]).flatten(0, 1)

    def forward(self, x):
        tokens = x.shape[1]
        query = split_heads(self.W_query(x), self.num_heads)
        key = split_heads(x @ self.repeated(self.W_key.weight).T, self.num_heads)
        value = split_heads(x @ self.repeated(self.W_value.weight).T, self.num_heads)
        angles = rotary_angles(torch.arange(tokens, device=x.device), self.head_dim, self.rope_base)
        turn = angles.cos(), angles.sin()
        scores = apply_rotary(query / self.head_dim**0.5, *turn) @ apply_rotary(key, *turn).mT
        weights = masked_softmax(scores, causal_mask(tokens).to(x.device))
        return self.out_proj(merge_heads(weights @ value))


class LlamaBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1 = RMSNorm(config.emb_dim, config.eps)
        self.attention = GroupedQueryAttention(config.emb_dim, config.num_heads, config.num_kv_heads, config.rope_base)
        self.norm2 = RMSNorm(config.emb_dim, config.eps)
        self.feed_forward = SwiGLU(config.emb_dim, config.hidden_dim)

    def forward(self, x):
        shortcut = x
        x = shortcut + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)
        self.blocks = nn.ModuleList(LlamaBlock(config) for _ in range(config.num_layers))
        self.final_norm = RMSNorm(config.emb_dim, config.eps)
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        if config.tie_weights:
            self.lm_head.weight = self.tok_emb.weight
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids):
        x = self.tok_emb(ids)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.final_norm(x))


@torch.no_grad()
def load_llama(model, weights):
    def put(parameter, name):
        source = weights[name + ".weight"]
        if source.shape != parameter.shape:
            raise ValueError(f"{name}: {tuple(source.shape)}")
        parameter.copy_(source)

    put(model.tok_emb.weight, "model.embed_tokens")
    put(model.final_norm.weight, "model.norm")
    if "lm_head.weight" in weights:
        put(model.lm_head.weight, "lm_head")
    for number, block in enumerate(model.blocks):
        start = f"model.layers.{number}."
        put(block.norm1.weight, start + "input_layernorm")
        put(block.norm2.weight, start + "post_attention_layernorm")
        for ours, theirs in zip(("W_query", "W_key", "W_value", "out_proj"), "qkvo"):
            put(getattr(block.attention, ours).weight, f"{start}self_attn.{theirs}_proj")
        for name in ("gate", "up", "down"):
            put(getattr(block.feed_forward, name).weight, f"{start}mlp.{name}_proj")


def unpermute(weight, num_heads):
    heads = weight.reshape(num_heads, -1, weight.shape[1])
    return torch.cat([heads[:, ::2], heads[:, 1::2]], dim=1).reshape(weight.shape)
