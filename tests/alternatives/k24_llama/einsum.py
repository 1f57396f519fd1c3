"""Groups as a dimension of their own, nothing is repeated; rotation by complex numbers; einsum throughout."""

import math
from dataclasses import dataclass

import torch
from torch import einsum, nn

from ..k04_self_attention.self_attention import softmax


@dataclass(frozen=True)
class LlamaConfig:
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


class RMSNorm(nn.Module):
    def __init__(self, emb_dim, eps=1e-5):
        super().__init__()
        self.emb_dim, self.eps = emb_dim, eps
        self.weight = nn.Parameter(torch.full((emb_dim,), 1.0))

    def forward(self, x):
        wide = x.double()
        power = einsum("...d,...d->...", wide, wide) / self.emb_dim
        return (self.weight * wide * (power + self.eps).pow(-0.5).unsqueeze(-1)).to(x.dtype)


class SwiGLU(nn.Module):
    def __init__(self, emb_dim, hidden_dim):
        super().__init__()
        self.down = nn.Linear(hidden_dim, emb_dim, bias=False)
        self.gate = nn.Linear(emb_dim, hidden_dim, bias=False)
        self.up = nn.Linear(emb_dim, hidden_dim, bias=False)

    def forward(self, x):
        a = einsum("...d,fd->...f", x, self.gate.weight)
        b = einsum("...d,fd->...f", x, self.up.weight)
        return einsum("...f,df->...d", a * 0.5 * (1 + torch.tanh(a / 2)) * b, self.down.weight)


class GroupedQueryAttention(nn.Module):
    def __init__(self, emb_dim, num_heads, num_kv_heads, rope_base):
        super().__init__()
        self.groups, self.sharing, self.base = num_kv_heads, num_heads // num_kv_heads, rope_base
        d = emb_dim // num_heads
        self.W_query = nn.Linear(emb_dim, num_heads * d, bias=False)
        self.W_key = nn.Linear(emb_dim, num_kv_heads * d, bias=False)
        self.W_value = nn.Linear(emb_dim, num_kv_heads * d, bias=False)
        self.out_proj = nn.Linear(num_heads * d, emb_dim, bias=False)

    def turned(self, x):  # (B, T, ..., d)
        half = x.shape[-1] // 2
        wide = x if x.dtype == torch.float64 else x.float()
        speeds = self.base ** (-torch.arange(half, device=x.device, dtype=wide.dtype) / half)
        angles = torch.arange(x.shape[1], device=x.device)[:, None] * speeds
        spin = torch.polar(torch.ones_like(angles), angles).view(-1, *[1] * (x.ndim - 3), half)
        result = torch.complex(wide[..., :half], wide[..., half:]) * spin
        return torch.cat([result.real, result.imag], -1).to(x.dtype)

    def forward(self, x):
        query = self.turned(self.W_query(x).unflatten(-1, (self.groups, self.sharing, -1)))  # (B, T, g, s, d)
        key = self.turned(self.W_key(x).unflatten(-1, (self.groups, -1)))  # (B, T, g, d)
        value = self.W_value(x).unflatten(-1, (self.groups, -1))
        scores = einsum("bqgsd,bkgd->bgsqk", query, key) / math.sqrt(query.shape[-1])
        T = x.shape[1]
        places = torch.arange(T, device=x.device)
        weights = softmax(torch.where(places[:, None] >= places, scores, -math.inf))
        return self.out_proj(einsum("bgsqk,bkgd->bqgsd", weights, value).flatten(2))


class LlamaBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1 = RMSNorm(config.emb_dim, config.eps)
        self.attention = GroupedQueryAttention(config.emb_dim, config.num_heads, config.num_kv_heads, config.rope_base)
        self.norm2 = RMSNorm(config.emb_dim, config.eps)
        self.feed_forward = SwiGLU(config.emb_dim, config.hidden_dim)

    def forward(self, x):
        after = self.attention(self.norm1(x)) + x
        return self.feed_forward(self.norm2(after)) + after


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)
        self.blocks = nn.ModuleList()
        for _ in range(config.num_layers):
            self.blocks.append(LlamaBlock(config))
        self.final_norm = RMSNorm(config.emb_dim, config.eps)
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        if config.tie_weights:
            self.lm_head.weight = self.tok_emb.weight

    def forward(self, ids):
        x = self.tok_emb.weight[ids]
        for block in self.blocks:
            x = block(x)
        return einsum("btd,vd->btv", self.final_norm(x), self.lm_head.weight)


BLOCK = {
    "input_layernorm": "norm1",
    "self_attn.q_proj": "attention.W_query",
    "self_attn.k_proj": "attention.W_key",
    "self_attn.v_proj": "attention.W_value",
    "self_attn.o_proj": "attention.out_proj",
    "post_attention_layernorm": "norm2",
    "mlp.gate_proj": "feed_forward.gate",
    "mlp.up_proj": "feed_forward.up",
    "mlp.down_proj": "feed_forward.down",
}


def load_llama(model, weights):
    places = {"model.embed_tokens.weight": model.tok_emb, "model.norm.weight": model.final_norm}
    if model.lm_head.weight is not model.tok_emb.weight:
        places["lm_head.weight"] = model.lm_head
    for number, block in enumerate(model.blocks):
        for theirs, ours in BLOCK.items():
            places[f"model.layers.{number}.{theirs}.weight"] = block.get_submodule(ours)
    absent = sorted(set(places) - set(weights))
    if absent:
        raise KeyError(f"not among the weights: {', '.join(absent)}")
    for name, layer in places.items():
        layer.weight.data.copy_(weights[name])


def unpermute(weight, num_heads):
    d = weight.shape[0] // num_heads
    order = [head * d + row for head in range(num_heads) for row in (*range(0, d, 2), *range(1, d, 2))]
    return weight[order]
