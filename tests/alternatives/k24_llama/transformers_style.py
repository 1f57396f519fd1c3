"""As in published code: norms always in float32, a rotated half, keys and values expanded, weights by a state dict."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
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
    def __init__(self, emb_dim, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(emb_dim))
        self.variance_epsilon = eps

    def forward(self, x):
        dtype = x.dtype
        x = x.to(torch.float32)
        variance = x.pow(2).mean(-1, keepdim=True)
        x = x * torch.rsqrt(variance + self.variance_epsilon)
        return self.weight * x.to(dtype)


class SwiGLU(nn.Module):
    def __init__(self, emb_dim, hidden_dim):
        super().__init__()
        self.gate = nn.Linear(emb_dim, hidden_dim, bias=False)
        self.up = nn.Linear(emb_dim, hidden_dim, bias=False)
        self.down = nn.Linear(hidden_dim, emb_dim, bias=False)
        self.act_fn = nn.SiLU()

    def forward(self, x):
        return self.down(self.act_fn(self.gate(x)) * self.up(x))


def rotate_half(x):
    x1 = x[..., : x.shape[-1] // 2]
    x2 = x[..., x.shape[-1] // 2 :]
    return torch.cat((-x2, x1), dim=-1)


def repeat_kv(x, n_rep):
    batch, heads, tokens, d = x.shape
    if n_rep == 1:
        return x
    return x[:, :, None].expand(batch, heads, n_rep, tokens, d).reshape(batch, heads * n_rep, tokens, d)


class GroupedQueryAttention(nn.Module):
    def __init__(self, emb_dim, num_heads, num_kv_heads, rope_base=10000.0):
        super().__init__()
        self.head_dim = emb_dim // num_heads
        self.num_key_value_groups = num_heads // num_kv_heads
        self.W_query = nn.Linear(emb_dim, num_heads * self.head_dim, bias=False)
        self.W_key = nn.Linear(emb_dim, num_kv_heads * self.head_dim, bias=False)
        self.W_value = nn.Linear(emb_dim, num_kv_heads * self.head_dim, bias=False)
        self.out_proj = nn.Linear(num_heads * self.head_dim, emb_dim, bias=False)
        pairs = torch.arange(0, self.head_dim, 2, dtype=torch.get_default_dtype()) / self.head_dim
        self.register_buffer("inv_freq", 1.0 / rope_base**pairs, persistent=False)

    def forward(self, x):
        shape = (*x.shape[:2], -1, self.head_dim)
        q = self.W_query(x).view(shape).transpose(1, 2)
        k = self.W_key(x).view(shape).transpose(1, 2)
        v = self.W_value(x).view(shape).transpose(1, 2)
        T = x.shape[1]
        freqs = torch.outer(torch.arange(T, device=x.device, dtype=self.inv_freq.dtype), self.inv_freq)
        emb = torch.cat((freqs, freqs), dim=-1)
        cos, sin = emb.cos().to(x.dtype), emb.sin().to(x.dtype)
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        k, v = repeat_kv(k, self.num_key_value_groups), repeat_kv(v, self.num_key_value_groups)
        scores = torch.matmul(q, k.transpose(2, 3)) * self.head_dim**-0.5
        hidden = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)
        scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
        weights = F.softmax(scores, dim=-1).to(q.dtype)
        return self.out_proj((weights @ v).transpose(1, 2).reshape(*x.shape[:2], -1))


class LlamaBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = GroupedQueryAttention(config.emb_dim, config.num_heads, config.num_kv_heads, config.rope_base)
        self.feed_forward = SwiGLU(config.emb_dim, config.hidden_dim)
        self.norm1 = RMSNorm(config.emb_dim, eps=config.eps)
        self.norm2 = RMSNorm(config.emb_dim, eps=config.eps)

    def forward(self, x):
        residual = x
        x = self.norm1(x)
        x = self.attention(x)
        x = residual + x
        residual = x
        x = self.norm2(x)
        x = self.feed_forward(x)
        return residual + x


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)
        self.blocks = nn.ModuleList([LlamaBlock(config) for _ in range(config.num_layers)])
        self.final_norm = RMSNorm(config.emb_dim, eps=config.eps)
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        if config.tie_weights:
            self.tok_emb.weight = self.lm_head.weight

    def forward(self, ids):
        x = self.tok_emb(ids)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.final_norm(x))


RENAMED = [
    ("model.embed_tokens", "tok_emb"),
    ("model.layers", "blocks"),
    ("model.norm", "final_norm"),
    ("input_layernorm", "norm1"),
    ("post_attention_layernorm", "norm2"),
    ("self_attn", "attention"),
    ("q_proj", "W_query"),
    ("k_proj", "W_key"),
    ("v_proj", "W_value"),
    ("o_proj", "out_proj"),
    ("mlp", "feed_forward"),
    ("gate_proj", "gate"),
    ("up_proj", "up"),
    ("down_proj", "down"),
]


def load_llama(model, weights):
    state = {}
    for name, values in weights.items():
        for theirs, ours in RENAMED:
            name = name.replace(theirs, ours)
        state[name] = values
    if model.config.tie_weights:
        state["lm_head.weight"] = state["tok_emb.weight"]
    model.load_state_dict(state)


def unpermute(weight, num_heads):
    rows, columns = weight.shape
    return weight.reshape(num_heads, rows // num_heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)
