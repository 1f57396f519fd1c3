"""A loop over the heads, and a loop over the names of the file; assigned anew, then tied again."""

from dataclasses import dataclass

import torch
from torch import nn

from ..k04_self_attention.self_attention import attention
from ..k05_causal_attention.causal_attention import causal_mask
from ..k16_rotary_positions.rotary_positions import apply_rotary, rotary_angles


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

    def norm(self):
        return RMSNorm(self.emb_dim, self.eps)


class RMSNorm(nn.Module):
    def __init__(self, emb_dim, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(emb_dim))
        self.register_buffer("eps", torch.tensor(eps, dtype=torch.float64), persistent=False)

    def forward(self, x):
        length = x.double().norm(dim=-1, keepdim=True)
        root = torch.hypot(length / x.shape[-1] ** 0.5, self.eps.double().sqrt())
        return (x.double() / root * self.weight.double()).to(x.dtype)


class SwiGLU(nn.Module):
    def __init__(self, emb_dim, hidden_dim):
        super().__init__()
        self.gate = nn.Linear(emb_dim, hidden_dim, bias=False)
        self.up = nn.Linear(emb_dim, hidden_dim, bias=False)
        self.down = nn.Linear(hidden_dim, emb_dim, bias=False)

    def forward(self, x):
        opened = self.gate(x)
        opened = opened * torch.sigmoid(opened)
        return self.down(opened.mul(self.up(x)))


class GroupedQueryAttention(nn.Module):
    def __init__(self, emb_dim, num_heads, num_kv_heads, rope_base):
        super().__init__()
        head_dim = emb_dim // num_heads
        self.sizes = num_heads, num_kv_heads, head_dim
        self.rope_base = rope_base
        self.W_query = nn.Linear(emb_dim, emb_dim, bias=False)
        self.W_key = nn.Linear(emb_dim, num_kv_heads * head_dim, bias=False)
        self.W_value = nn.Linear(emb_dim, num_kv_heads * head_dim, bias=False)
        self.out_proj = nn.Linear(emb_dim, emb_dim, bias=False)

    def forward(self, x):
        heads, kv_heads, d = self.sizes
        angles = rotary_angles(torch.arange(x.shape[1], device=x.device), d, self.rope_base)
        cos, sin = torch.cos(angles), torch.sin(angles)
        queries = self.W_query(x).split(d, dim=-1)
        keys = [apply_rotary(key, cos, sin) for key in self.W_key(x).split(d, dim=-1)]
        values = self.W_value(x).split(d, dim=-1)
        hidden = causal_mask(x.shape[1]).to(x.device)
        contexts = []
        for head, query in enumerate(queries):
            shared = head // (heads // kv_heads)
            scores = apply_rotary(query, cos, sin) @ keys[shared].mT * d**-0.5
            contexts.append(scores.masked_fill(hidden, -torch.inf).softmax(-1) @ values[shared])
        return self.out_proj(torch.cat(contexts, dim=-1))


class LlamaBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1, self.norm2 = config.norm(), config.norm()
        self.attention = GroupedQueryAttention(config.emb_dim, config.num_heads, config.num_kv_heads, config.rope_base)
        self.feed_forward = SwiGLU(config.emb_dim, config.hidden_dim)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        x = x + self.feed_forward(self.norm2(x))
        return x


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)
        self.blocks = nn.ModuleList(LlamaBlock(config) for _ in range(config.num_layers))
        self.final_norm = config.norm()
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        self.tie()

    def tie(self):
        if self.config.tie_weights:
            self.lm_head.weight = self.tok_emb.weight

    def forward(self, ids):
        x = self.tok_emb(ids)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.final_norm(x))


OURS = dict(q_proj="W_query", k_proj="W_key", v_proj="W_value", o_proj="out_proj")
OURS |= dict(input_layernorm="norm1", post_attention_layernorm="norm2")
OURS |= dict(gate_proj="gate", up_proj="up", down_proj="down", embed_tokens="tok_emb", norm="final_norm")


def layer_of(model, name):
    parts = name.split(".")
    owner = model
    if "layers" in parts:
        owner = model.blocks[int(parts[2])]
        owner = {"self_attn": owner.attention, "mlp": owner.feed_forward}.get(parts[3], owner)
    return getattr(owner, OURS.get(parts[-2], parts[-2]))


def load_llama(model, weights):
    wanted = {name for name, _ in model.named_parameters()}
    loaded = set()
    names = {module: name for name, module in model.named_modules()}
    for name, values in weights.items():
        layer = layer_of(model, name)
        if values.shape != layer.weight.shape:
            raise RuntimeError(f"{name}: {values.shape}")
        if name == "lm_head.weight" and model.config.tie_weights:
            continue
        layer.weight = nn.Parameter(values.detach().clone())
        loaded.add(f"{names[layer]}.weight")
    model.tie()
    if wanted - loaded:
        raise LookupError(f"not loaded: {wanted - loaded}")


def unpermute(weight, num_heads):
    new = torch.empty_like(weight)
    d = weight.shape[0] // num_heads
    for head in range(num_heads):
        for pair in range(d // 2):
            new[head * d + pair] = weight[head * d + 2 * pair]
            new[head * d + pair + d // 2] = weight[head * d + 2 * pair + 1]
    return new
