"""On what torch has ready-made: rms_norm, fused attention with groups; the weights one line each."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

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


class RMSNorm(nn.Module):
    def __init__(self, emb_dim, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(emb_dim))
        self.eps = eps

    def forward(self, x):
        if x.dtype.itemsize < 4:
            return F.rms_norm(x.float(), x.shape[-1:], self.weight.float(), self.eps).to(x.dtype)
        return F.rms_norm(x, x.shape[-1:], self.weight, self.eps)


class SwiGLU(nn.Module):
    def __init__(self, emb_dim, hidden_dim):
        super().__init__()
        self.up, self.gate = (nn.Linear(emb_dim, hidden_dim, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden_dim, emb_dim, bias=False)

    def forward(self, x):
        both = F.linear(x, torch.cat([self.up.weight, self.gate.weight]))
        up, gate = both.chunk(2, dim=-1)
        return self.down(up * gate * gate.sigmoid())


class GroupedQueryAttention(nn.Module):
    def __init__(self, emb_dim, num_heads, num_kv_heads, rope_base):
        super().__init__()
        self.d, self.base = emb_dim // num_heads, rope_base
        for name, heads in (("W_query", num_heads), ("W_key", num_kv_heads), ("W_value", num_kv_heads)):
            setattr(self, name, nn.Linear(emb_dim, heads * self.d, bias=False))
        self.out_proj = nn.Linear(num_heads * self.d, emb_dim, bias=False)

    def forward(self, x):
        query, key, value = (
            layer(x).unflatten(-1, (-1, self.d)).transpose(1, 2) for layer in (self.W_query, self.W_key, self.W_value)
        )
        # Only distances matter, so the text may as well begin at position 1.
        angles = rotary_angles(torch.arange(1, x.shape[1] + 1, device=x.device), self.d, self.base)
        query, key = (apply_rotary(each, angles.cos(), angles.sin()) for each in (query, key))
        context = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        return self.out_proj(context.transpose(1, 2).flatten(2))


class LlamaBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(config.emb_dim, config.eps), RMSNorm(config.emb_dim, config.eps)
        self.attention = GroupedQueryAttention(config.emb_dim, config.num_heads, config.num_kv_heads, config.rope_base)
        self.feed_forward = SwiGLU(config.emb_dim, config.hidden_dim)

    def forward(self, x):
        for norm, branch in ((self.norm1, self.attention), (self.norm2, self.feed_forward)):
            x = x + branch(norm(x))
        return x


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)
        self.blocks = nn.Sequential(*(LlamaBlock(config) for _ in range(config.num_layers)))
        self.final_norm = RMSNorm(config.emb_dim, config.eps)
        self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)
        self.tied = config.tie_weights
        if self.tied:
            self.lm_head.weight = self.tok_emb.weight

    def forward(self, ids):
        return self.lm_head(self.final_norm(self.blocks(self.tok_emb(ids))))


def load_llama(model, weights):
    with torch.no_grad():
        model.tok_emb.weight.copy_(weights["model.embed_tokens.weight"])
        for number, block in enumerate(model.blocks):
            layer = f"model.layers.{number}"
            block.norm1.weight.copy_(weights[f"{layer}.input_layernorm.weight"])
            block.attention.W_query.weight.copy_(weights[f"{layer}.self_attn.q_proj.weight"])
            block.attention.W_key.weight.copy_(weights[f"{layer}.self_attn.k_proj.weight"])
            block.attention.W_value.weight.copy_(weights[f"{layer}.self_attn.v_proj.weight"])
            block.attention.out_proj.weight.copy_(weights[f"{layer}.self_attn.o_proj.weight"])
            block.norm2.weight.copy_(weights[f"{layer}.post_attention_layernorm.weight"])
            block.feed_forward.gate.weight.copy_(weights[f"{layer}.mlp.gate_proj.weight"])
            block.feed_forward.up.weight.copy_(weights[f"{layer}.mlp.up_proj.weight"])
            block.feed_forward.down.weight.copy_(weights[f"{layer}.mlp.down_proj.weight"])
        model.final_norm.weight.copy_(weights["model.norm.weight"])
        if not model.tied:
            model.lm_head.weight.copy_(weights["lm_head.weight"])


def unpermute(weight, num_heads):
    heads = weight.chunk(num_heads)
    return torch.cat([half for head in heads for half in (head[0::2], head[1::2])])
